"""The first span of a job: the request that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import SpanKind

from middleware.tracing.spans import Tracing, carried, context_of, fail
from schema.http import queries

if TYPE_CHECKING:  # workers, which serve no requests, do not load it
    import falcon

_MADE = {"pdf_": "reportq.job_id", "bat_": "reportq.batch_id"}  # How an id begins, and the attribute that holds it.


class Accepting:
    """Falcon middleware, the first: a span for each POST that asks for reports, a child of the caller's.

    From here on the request's `traceparent` is this span's. The routes write it into the rows, and log lines carry it.
    """

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        if req.method != "POST" or not ("/api/reports/" in req.path or req.path.endswith("/preview")):
            return
        parent = context_of(queries.traceparent(req.get_header("traceparent")))
        span = self._tracing.span("POST", SpanKind.SERVER, parent, {"http.request.method": "POST"})
        req.context.span = span
        req.env["HTTP_TRACEPARENT"] = carried(span).get("traceparent", "")

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        span = getattr(req.context, "span", None)
        if span is None:
            return
        status = int(str(resp.status).split(" ", 1)[0])
        span.set_attribute("http.response.status_code", status)
        if req.uri_template:
            span.update_name(f"POST {req.uri_template}")
            span.set_attribute("http.route", req.uri_template)
        made = (resp.get_header("Location") or "").rpartition("/")[2]
        if made[:4] in _MADE:
            span.set_attribute(_MADE[made[:4]], made)
        if status >= 500:
            fail(span, str(status))
        span.end()
