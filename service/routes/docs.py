"""The API's description: for machines at /openapi.json, for people at /docs and /docs/problems.

The pages are written from the same document, load nothing from anywhere, and run no script. They need no key, so each
one is made once and not at every request.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import falcon
import msgspec

from schema.http.openapi import document, links_path
from schema.http.problems import CATALOGUE

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

    from schema.rows.keys import KeyRing

_MARK = re.compile(r"`([^`]+)`|\[([^][]+)\]\((/(?!/)[^()\s]+)\)")  # links to pages of this service alone
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@dataclass(eq=False)
class Docs:
    """GET /openapi.json, /docs and /docs/problems."""

    server: str
    keys: KeyRing

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """OpenAPI 3.1."""
        resp.data = _encoded(self.server, self.keys.in_use)

    def on_get_people(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The same for people."""
        _page(resp, _written(self.server, self.keys.in_use))

    def on_get_problems(self, req: falcon.Request, resp: falcon.Response) -> None:
        """What every problem's `type` points to: all codes with meaning and remedy."""
        _page(resp, _problems(links_path(self.server)))


def _page(resp: falcon.Response, text: str) -> None:
    """Answer with a page that may load nothing."""
    resp.content_type = falcon.MEDIA_HTML
    resp.set_header("Content-Security-Policy", _POLICY)
    resp.text = text


@cache
def _encoded(server: str, secured: bool) -> bytes:
    return msgspec.json.encode(document(server, secured=secured))


@cache
def _written(server: str, secured: bool) -> str:
    return _pages().get_template("docs.html").render(api=document(server, secured=secured), links=links_path(server))


@cache
def _problems(links: str) -> str:
    return _pages().get_template("problems.html").render(catalogue=CATALOGUE, links=links)


def _pages() -> jinja2.Environment:
    import jinja2  # late: few processes are ever asked for a page

    pages = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parents[1] / "pages"), autoescape=True)
    pages.filters["marked"] = _marked
    pages.filters["indented"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    return pages


def _marked(text: object) -> Markup:
    """The two marks that descriptions use, `code` and [links](/docs), as HTML; everything else is text."""
    from markupsafe import Markup

    told, made, at = str(text), Markup(), 0
    for found in _MARK.finditer(told):
        made += told[at : found.start()]  # escaped by what it is added to
        code, words, path = found.groups()
        made += Markup("<code>{}</code>").format(code) if code else Markup('<a href="{}">{}</a>').format(path, words)
        at = found.end()
    return made + told[at:]
