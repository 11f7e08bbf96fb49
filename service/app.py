"""The API: routes, errors as problem+json, a request id on everything."""

from __future__ import annotations

import re
from typing import Any

import falcon
import msgspec
import structlog
from falcon.routing import CompiledRouter

from middleware.meters.counters import Meters, folder_of
from schema.callbacks.allow_list import AllowList
from schema.errors import DependencyDown, Refused, ReportqError
from schema.http import queries, traces
from schema.http.problems import TYPE_BASE, problem_of
from schema.http.responses import Problem
from schema.metrics import table as metrics
from schema.rows.keys import KeyRing
from schema.rows.switches import RolloutBoard
from schema.sql.database import DatabaseDown
from service.access import Access
from service.batch import Batch
from service.console import Console
from service.dead_letters import DeadLetter, DeadLetters, ReplayLetters
from service.deliveries import Deliveries, Resend
from service.docs import Docs, OpenApi, ProblemDocs
from service.downloads import Download, Downloads
from service.estimates import QueueView
from service.generate import Generate
from service.health import Live, Ready
from service.jobs import Cancel, Job, Jobs, Replay
from service.metrics import Counted, Metrics
from service.overview import Overview
from service.parts import Parts
from service.queues import QueueAct, Queues
from service.rates import RateLimits
from service.reports import GenerateAsync
from service.request import Doorway, Request
from service.waiters import WaiterBoard

log = structlog.get_logger()

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_RETRY_AFTER = {429: "10", 503: "5"}


class RequestIds:
    """Every answer and every log line of a request carry its id, the caller's own when it is usable."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        given = req.get_header("X-Request-ID") or ""
        if _REQUEST_ID.fullmatch(given):
            req.context.request_id = given
        resp.set_header("X-Request-ID", req.context.request_id)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=req.context.request_id)
        if trace := traces.trace_id(queries.traceparent(req.get_header("traceparent"))):
            structlog.contextvars.bind_contextvars(trace_id=trace)


class Private:
    """Answers are about people's reports: no cache keeps one, and no browser takes it for something else.

    What may be kept (the console's files) says so itself.
    """

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("X-Content-Type-Options", "nosniff")


def create_app(parts: Parts) -> Any:
    """The WSGI application over these parts."""
    links = parts.settings.links_path
    allow = AllowList.parse(parts.settings.webhook_allow)
    view = QueueView(parts.db, parts.settings)
    meters = Meters(folder_of(parts.settings.run_dir, metrics.API))
    keys = KeyRing(parts.db, parts.settings)
    rates = RateLimits(parts.settings.run_dir)
    waiters = WaiterBoard(parts.db, parts.settings.waiters, parts.stopping)
    downloads = Downloads(parts)
    rollout = RolloutBoard(parts.db, parts.settings)
    router = CompiledRouter()
    doors: list[Any] = [
        RequestIds(),
        Private(),
        Counted(meters),
        Doorway(links, router),
        Access(parts.settings, keys, rates),
    ]
    app: Any = falcon.App(media_type="application/json", request_type=Request, middleware=doors, router=router)
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.keep_blank_qs_values = True
    app.req_options.auto_parse_qs_csv = False
    app.add_route("/api/reports/generate-async", GenerateAsync(parts, view, allow))
    app.add_route("/api/reports/generate", Generate(parts, view, allow, waiters, downloads, rollout, meters))
    app.add_route("/api/reports/batch", Batch(parts, view, allow, rates))
    app.add_route("/api/jobs", Jobs(parts))
    app.add_route("/api/jobs/{job_id}", Job(parts, view, waiters))
    app.add_route("/api/jobs/{job_id}/download", Download(parts, downloads))
    app.add_route("/api/jobs/{job_id}/cancel", Cancel(parts))
    app.add_route("/api/jobs/{job_id}/replay", Replay(parts, view, allow))
    app.add_route("/openapi.json", OpenApi(parts.settings, keys))
    app.add_route("/docs", Docs(parts.settings, keys))
    app.add_route("/docs/problems", ProblemDocs(links))
    app.add_route("/metrics", Metrics(parts))
    app.add_route("/api/jobs/{job_id}/deliveries", Deliveries(parts))
    app.add_route("/api/jobs/{job_id}/deliveries/{delivery_id}/resend", Resend(parts))
    app.add_route("/api/dead-letters", DeadLetters(parts))
    app.add_route("/api/dead-letters/{letter_id}", DeadLetter(parts))
    for act in ("replay", "discard"):
        app.add_route(f"/api/dead-letters/{act}", ReplayLetters(parts, act))
    app.add_route("/api/queues", Queues(parts))
    for act in ("pause", "drain", "resume"):
        app.add_route(f"/api/queues/{{name}}/{act}", QueueAct(parts, act))
    app.add_route("/api/overview", Overview(parts))
    app.add_route("/", console := Console(links))
    app.add_route("/console/{name}", console)
    app.add_route("/favicon.ico", console, suffix="icon")
    app.add_route("/livez", Live())
    app.add_route("/readyz", Ready(parts))
    app.add_error_handler(Exception, _unexpected)
    app.add_error_handler(falcon.HTTPError, _http_error)
    app.add_error_handler(ReportqError, _refused)
    return app


def problem(
    req: falcon.Request,
    resp: falcon.Response,
    code: str,
    detail: str,
    status: int | None = None,
    next_step: str | None = None,
    **more: Any,
) -> None:
    """Answer with a problem of the catalogue (RFC 9457); `next_step` where this case has a better one."""
    entry = problem_of(code)
    status = status or entry.status
    resp.status = falcon.code_to_http_status(status)
    resp.content_type = "application/problem+json"
    resp.data = msgspec.json.encode(
        Problem(
            type=req.context.links_path + TYPE_BASE + code,
            title=entry.title,
            status=status,
            code=code,
            detail=detail,
            next_step=next_step or entry.next_step,
            instance=req.context.links_path + req.path,
            request_id=req.context.request_id,
            **more,
        )
    )
    if status in _RETRY_AFTER and resp.get_header("Retry-After") is None:
        resp.set_header("Retry-After", _RETRY_AFTER[status])


def _refused(req: falcon.Request, resp: falcon.Response, error: ReportqError, params: Any) -> None:
    if isinstance(error, DatabaseDown):
        problem(req, resp, "database_unavailable", error.detail)
    elif isinstance(error, DependencyDown):
        problem(req, resp, "storage_unavailable", error.detail)
    else:
        shown: dict[str, Any] = {k: v for k, v in error.fields.items() if k in ("errors", "job_id", "next_step")}
        status = error.fields.get("status")
        problem(req, resp, error.code, error.detail, status if isinstance(status, int) else None, **shown)
        if isinstance(error, Refused) and error.code == "unauthorized":
            resp.set_header("WWW-Authenticate", 'Bearer realm="reportq"')


_FALCON_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}


def _http_error(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: Any) -> None:
    code = _FALCON_CODES.get(error.status_code, "invalid_request" if error.status_code < 500 else "internal_error")
    for name, value in (error.headers or {}).items():  # type: ignore[union-attr]
        resp.set_header(name, value)
    problem(req, resp, code, error.description or problem_of(code).title + ".", error.status_code)


def _unexpected(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
    log.exception("request.failed", request_id=req.context.request_id, path=req.path)
    problem(req, resp, "internal_error", "The request could not be served.")
