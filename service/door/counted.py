"""The counting of requests, and of what became of each request for a report."""

import time
from typing import Any

import falcon

from middleware.meters.counters import Meters
from schema.http.operations import OPERATIONS
from schema.metrics import table as metrics

_REPORTS = "/api/reports/"

_SUBMITTING = {operation.path for operation in OPERATIONS if operation.path.startswith(_REPORTS)}


class Counted:
    """Falcon middleware: every request's duration, and what became of each request for a report."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        status = int(str(resp.status).split(" ", 1)[0])
        # A request that is turned away at the door (no key, too often) has a path but no route yet.
        route = req.uri_template or (req.path if req.path in _SUBMITTING else "none")
        seconds = time.monotonic() - req.context.began
        method = req.method if req.method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS") else "other"
        self._meters.observe(metrics.HTTP_SECONDS, seconds, route=route, method=method, status=f"{status // 100}xx")
        if req.context.cancelled:
            self._meters.count(metrics.CANCELLED_WAITING, req.context.cancelled)
        if req.method != "POST" or not route.startswith(_REPORTS):
            return
        # A synchronous request whose job failed is answered 409, and was accepted all the same.
        taken = bool(req.context.asked) or req.context.repeated
        result = "over_rate" if req.context.over_rate else submission_result(status)
        self._meters.count(metrics.SUBMISSIONS, result="accepted" if taken else result)
        for priority in req.context.asked:
            self._meters.count(metrics.JOBS_SUBMITTED, priority=priority)


def submission_result(status: int) -> str:
    """What an HTTP status says of a request for a report."""
    if status < 400:
        return "accepted"
    if status == 429:
        return "limited"
    return "refused" if status < 500 else "unavailable"
