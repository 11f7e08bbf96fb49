"""The synchronous endpoint, kept for simple use and for the time of the migration: it queues and waits (DESIGN §3)."""

from __future__ import annotations

import falcon

from middleware.meters.counters import Meters
from schema.callbacks.allow_list import AllowList
from schema.errors import Refused
from schema.http import queries, requests
from schema.metrics import table as metrics
from schema.rows import jobs
from schema.rows.states import OPEN
from schema.rows.switches import RolloutBoard
from service.door.bodies import read_body
from service.estimates import QueueView
from service.parts import ApiParts
from service.routes.downloads import Downloads
from service.routes.reports import Submitting, accepted
from service.waiters import WaiterBoard


class Generate(Submitting):
    """POST /api/reports/generate: the PDF itself when it is ready in time, else 202 like the asynchronous endpoint.

    It renders nothing: the job goes through the queue like every other, so that a caller who hangs up loses nothing.
    """

    def __init__(
        self,
        parts: ApiParts,
        view: QueueView,
        allow: AllowList,
        waiters: WaiterBoard,
        downloads: Downloads,
        rollout: RolloutBoard,
        meters: Meters,
    ) -> None:
        super().__init__(parts, view, allow)
        self._waiters = waiters
        self._downloads = downloads
        self._rollout = rollout
        self._meters = meters

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """200 with the PDF, 202 when it takes longer, 409 with the job's error when it failed, 410 when switched off."""
        rollout = self._rollout.now()
        if not rollout.sync_enabled:
            self._meters.count(metrics.SYNC_REQUESTS, result="disabled")
            path = f"{req.context.links_path}/api/reports/generate-async"
            resp.set_header("Link", f'<{path}>; rel="successor-version"')
            raise Refused("The synchronous endpoint is switched off.", code="sync_disabled")
        longest = self._parts.settings.longest_wait
        prefer = queries.preference(req.get_header("Prefer"), longest)
        submission = requests.read(read_body(req, self._parts.settings.max_body), requests.Submission, self._allow)
        job_id, earlier = self.submit(req, submission)
        seconds = longest if prefer.wait is None else prefer.wait
        if rollout.answers_at_once(submission.code) or prefer.respond_async:
            result = "at_once"
        elif not self._waiters.wait(job_id, seconds):
            result = "no_room"
        else:
            result = self._after_waiting(req, resp, job_id)
        self._meters.count(metrics.SYNC_REQUESTS, result=result)
        if result in ("at_once", "no_room"):
            self.answer(resp, submission, job_id, earlier)
        elif result == "too_slow":
            row = jobs.find(self._parts.db, job_id)
            if row is not None:
                accepted(resp, job_id, row["status"], *self._view.of(row))

    def _after_waiting(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> str:
        """Answer with what the job has become: `served`, `failed` or, unanswered, `too_slow`."""
        row = jobs.find(self._parts.db, job_id)
        if row is not None and row["status"] in OPEN:
            return "too_slow"
        resp.set_header("Location", f"/api/jobs/{job_id}")
        try:
            self._downloads.serve(resp, job_id, row)
        except Refused as refused:
            refused.fields["job_id"] = job_id
            self._meters.count(metrics.SYNC_REQUESTS, result="failed")
            raise
        return "served"
