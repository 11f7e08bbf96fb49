"""Links for readers: made and revoked with a key, opened without one.

Mail scanners and previews open links. So a GET shows a page with a button and nothing of the report, not even whether
the link still opens it. Only the button's POST counts as a use and sends the PDF.
"""

import re
from dataclasses import dataclass

import falcon

from schema.errors import Refused
from schema.http import requests
from schema.http.responses import LinkMade, Revoked
from schema.rows import links
from schema.rows.jobs import find
from schema.rows.keys import hash_of
from schema.sql.times import instant
from service.door.rates import RateLimits
from service.routes.downloads import Downloads
from service.routes.route import Route, answer

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_OF_ONE, _OF_ONE_ADDRESS = 30, 600  # requests a minute: for one link; from one address, which may be a proxy's
_PAGE = """<!doctype html><html lang="id"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex,nofollow"><title>Laporan</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:15vh auto;padding:0 1rem;text-align:center}}
button{{font:inherit;padding:.7em 1.4em;border-radius:.4em;border:0;background:#0b57a4;color:#fff;cursor:pointer}}
small{{color:#555}}</style>
<h1>{title}</h1>{body}"""
_BUTTON = _PAGE.format(
    title="Laporan Anda",
    body='<form method="post"><button>Unduh laporan (PDF)</button></form><p><small lang="en">Download report</small>',
)
_GONE = _PAGE.format(
    title="Tautan tidak berlaku",
    body="<p>Tautan ini sudah tidak berlaku. Mintalah tautan baru kepada pengirimnya."
    '<p><small lang="en">This link is no longer valid. Ask its sender for a new one.</small>',
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


@dataclass(eq=False)
class Links(Route):
    """POST /api/jobs/{job_id}/links; DELETE …/links/{link_id}."""

    downloads: Downloads

    def on_post(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        """A link to the PDF of a completed job."""
        asked = self.asked(req, requests.Link, optional=True)
        self.downloads.stored(resp, job_id, find(self.parts.db, job_id))
        link_id, token, expires_at = links.make(self.parts.db, job_id, seconds=asked.expires_in, uses=asked.uses)
        url = f"{self.parts.settings.links_base}/l/{token}"
        answer(resp, LinkMade(link_id, job_id, url, instant(expires_at), asked.uses), falcon.HTTP_201)

    def on_delete_one(self, req: falcon.Request, resp: falcon.Response, job_id: str, link_id: str) -> None:
        """From now on it opens nothing."""
        if not links.revoke(self.parts.db, job_id, link_id):
            raise Refused(f"The job has no link {link_id[:80]!r}.", code="link_not_found")
        answer(resp, Revoked(link_id, True))


@dataclass(eq=False)
class Opened(Route):
    """GET and POST /l/{token}."""

    downloads: Downloads
    rates: RateLimits

    def on_get(self, req: falcon.Request, resp: falcon.Response, token: str) -> None:
        """The page with the button, the same for every token; 404 for what can be none."""
        if self._enter(req, resp, token):
            resp.text = _BUTTON

    def on_post(self, req: falcon.Request, resp: falcon.Response, token: str) -> None:
        """The PDF; 404 with a page when the link opens nothing (any more)."""
        link = links.spend(self.parts.db, token) if self._enter(req, resp, token) else None
        if link is None:
            resp.status, resp.text = falcon.HTTP_404, _GONE
            return
        try:
            self.downloads.serve(resp, link["job_id"], find(self.parts.db, link["job_id"]), kind="attachment")
        except Exception as error:
            links.give_back(self.parts.db, link)
            if not isinstance(error, Refused):
                raise
            resp.status, resp.text = falcon.HTTP_404, _GONE

    def _enter(self, req: falcon.Request, resp: falcon.Response, token: str) -> bool:
        """Whether it is a token at all; the page that says no stands in the answer. Raises Refused: rate_limited."""
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("Content-Security-Policy", _POLICY)
        resp.set_header("X-Robots-Tag", "noindex, nofollow")
        resp.set_header("Referrer-Policy", "same-origin")  # "no-referrer" would make the form's Origin null
        for whose, most in ((f"link {hash_of(token)}", _OF_ONE), (f"links {req.remote_addr}", _OF_ONE_ADDRESS)):
            wait = self.rates.spend(whose, most)
            if wait:
                resp.set_header("Retry-After", str(int(wait)))
                raise Refused("This link is opened too often.", code="rate_limited")
        if not _TOKEN.fullmatch(token):
            resp.status, resp.text = falcon.HTTP_404, _GONE
            return False
        return True
