"""One request as the API sees it: what is known of it from the start, the path that a proxy shows, what each answer carries."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Any

import falcon
import structlog

from schema.http import queries, traces

if TYPE_CHECKING:
    from falcon.routing import CompiledRouter

    from schema.rows.keys import Caller

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Context:
    """What the middleware notes about a request; here are the values until it does."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.request_id = os.urandom(13).hex()
        self.links_path = ""  # what every link in the answer begins with
        self.head = False
        self.owner = ""
        self.caller: Caller | None = None
        self.role = ""
        self.asked: tuple[str, ...] = ()  # the priorities of the jobs that were made
        self.repeated = False
        self.cancelled = 0  # jobs that no worker had taken yet
        self.over_rate = False


class Request(falcon.Request):
    """Falcon's, with a context that is whole even when no middleware has run, as for an unknown method."""

    context_type = Context


class Doorway:
    """Falcon middleware: HEAD is answered as GET would be, without a body; links lead through the public URL's path.

    A proxy in front may take that path off or leave it: either way the route is found.
    """

    def __init__(self, links_path: str, router: CompiledRouter) -> None:
        self._links_path = links_path
        self._router = router

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        under = self._links_path
        req.context.links_path = under
        if under and f"{req.path}/".startswith(f"{under}/") and self._router.find(req.path) is None:
            req.path = req.path[len(under) :] or "/"
        if req.method == "HEAD":
            req.context.head = True
            req.method = "GET"
            req.env.pop("HTTP_PREFER", None)  # who wants no body waits for none

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        if resp.location is not None and resp.location.startswith("/"):
            resp.location = self._links_path + resp.location
        if req.context.head:
            req.method = "HEAD"
            if resp.stream is not None:
                getattr(resp.stream, "close", lambda: None)()
                resp.stream = ()  # its length stays unknown


class Headers:
    """Every answer and every log line of a request carry its id: the caller's own, if it is usable.

    Answers are about people's reports: no cache keeps one, and no browser takes it for another type. What may be kept
    (the console's files) sets its own header.
    """

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        given = req.get_header("X-Request-ID") or ""
        if _REQUEST_ID.fullmatch(given):
            req.context.request_id = given
        resp.set_header("X-Request-ID", req.context.request_id)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=req.context.request_id)
        if trace := traces.trace_id(queries.traceparent(req.get_header("traceparent"))):
            structlog.contextvars.bind_contextvars(trace_id=trace)
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("X-Content-Type-Options", "nosniff")
