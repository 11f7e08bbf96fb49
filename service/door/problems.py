"""Writes every error as problem+json (RFC 9457), with Retry-After; the texts stand in `schema/http/problems.py`."""

from typing import Any

import falcon
import msgspec
import structlog

from schema.errors import DependencyDown, Refused, ReportqError
from schema.http.problems import TYPE_BASE, problem_of
from schema.http.responses import Problem
from schema.sql.database import DatabaseDown

log = structlog.get_logger()

_SHOWN = ("errors", "job_id", "next_step", "verdict")  # fields of an error that its answer may tell
_RETRY_AFTER = {429: "10", 503: "5"}


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


def refused(req: falcon.Request, resp: falcon.Response, error: ReportqError, params: Any) -> None:
    shown: dict[str, Any] = {name: value for name, value in error.fields.items() if name in _SHOWN}
    if isinstance(error, DatabaseDown):
        problem(req, resp, "database_unavailable", error.detail, **shown)
    elif isinstance(error, DependencyDown):
        problem(req, resp, "storage_unavailable", error.detail)
    else:
        status = error.fields.get("status")
        problem(req, resp, error.code, error.detail, status if isinstance(status, int) else None, **shown)
        if isinstance(error, Refused) and error.code == "unauthorized":
            resp.set_header("WWW-Authenticate", 'Bearer realm="reportq"')


_FALCON_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}


def http_error(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: Any) -> None:
    code = _FALCON_CODES.get(error.status_code, "invalid_request" if error.status_code < 500 else "internal_error")
    for name, value in (error.headers or {}).items():  # type: ignore[union-attr]
        resp.set_header(name, value)
    problem(req, resp, code, error.description or problem_of(code).title + ".", error.status_code)


def unexpected(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
    log.exception("request.failed", request_id=req.context.request_id, path=req.path)
    problem(req, resp, "internal_error", "The request could not be served.")
