"""What every answer carries: the request's id, and that nobody keeps a copy."""

from __future__ import annotations

import re

import falcon
import structlog

from schema.http import queries, traces

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


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
