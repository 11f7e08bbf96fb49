"""The console's files at `/` and `/console/…`: a page, its styles and its modules, served as they lie here.

They hold nothing secret and need no key; the calls they make do. The policy lets them load from here alone, run no
script that stands in a page, and be framed by nobody.
"""

import hashlib
import html
from pathlib import Path

import falcon

_FOLDER = Path(__file__).parents[1] / "console"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",  # asked for again, answered 304 as long as it is the same
}


class Console:
    """GET / and GET /console/{name}: read once, at start; the page's links lead through `links_path`."""

    def __init__(self, links_path: str) -> None:
        files = [path for path in sorted(_FOLDER.iterdir()) if path.suffix in _KINDS]
        self._files = {path.name: (path.read_bytes(), _KINDS[path.suffix]) for path in files}
        page, kind = self._files["index.html"]
        self._files["index.html"] = (page.replace(b'="/', f'="{html.escape(links_path)}/'.encode()), kind)
        self._etags = {name: hashlib.sha256(body).hexdigest()[:16] for name, (body, _) in self._files.items()}

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str = "index.html") -> None:
        """The file, or 304 when the browser has it."""
        if name not in self._files:
            raise falcon.HTTPNotFound(description="The console has no such file.")
        for header, value in _HEADERS.items():
            resp.set_header(header, value)
        resp.etag = self._etags[name]
        if req.if_none_match and any(tag == self._etags[name] or tag == "*" for tag in req.if_none_match):
            resp.status = falcon.HTTP_304
            return
        resp.data, resp.content_type = self._files[name]

    def on_get_icon(self, req: falcon.Request, resp: falcon.Response) -> None:
        """GET /favicon.ico: what browsers ask for beside a file that names no icon."""
        self.on_get(req, resp, "icon.svg")
