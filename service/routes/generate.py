"""The synchronous endpoint, kept for simple use and for the time of the migration: it queues and waits (DESIGN §3)."""

from dataclasses import dataclass
from email.utils import formatdate

import falcon

from middleware.meters.counters import Meters
from schema.errors import Refused
from schema.http import queries
from schema.metrics import table as metrics
from schema.rows import jobs
from schema.rows.columns import OPEN
from schema.rows.switches import Rollout
from schema.sql.cached import Cached
from service.routes.downloads import Downloads
from service.routes.reports import Single, accepted, standing
from service.waiters import WaiterBoard


@dataclass(eq=False)
class Generate(Single):
    """POST /api/reports/generate: the PDF itself when it is ready in time, else 202 like the asynchronous endpoint.

    It renders nothing: the job goes through the queue like every other, so that a caller who hangs up loses nothing.
    """

    waiters: WaiterBoard
    downloads: Downloads
    rollout: Cached[Rollout]
    meters: Meters

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """200 with the PDF, 202 when it takes longer, 409 with the job's error when it failed, 410 when switched off."""
        rollout = self.rollout.get()
        if rollout.complete_since is not None or not rollout.sync_enabled:
            path = f"{req.context.links_path}/api/reports/generate-async"
            resp.set_header("Link", f'<{path}>; rel="successor-version"')
        if rollout.complete_since is not None:
            since = int(rollout.complete_since.timestamp())
            resp.set_header("Deprecation", f"@{since}")
            resp.set_header("Sunset", formatdate(since + self.parts.settings.sync_sunset_after, usegmt=True))
        if not rollout.sync_enabled:
            self.meters.count(metrics.SYNC_REQUESTS, result="disabled")
            raise Refused("The synchronous endpoint is switched off.", code="sync_disabled")
        longest = self.parts.settings.longest_wait
        prefer = queries.preference(req.get_header("Prefer"), longest)
        job, earlier = self.submit(req)
        job_id = job.job_id if earlier is None else str(earlier["job_id"])
        if rollout.answers_at_once(job.code) or prefer.respond_async:
            result = "at_once"
        elif not self.waiters.wait(job_id, longest if prefer.wait is None else prefer.wait):
            result = "no_room"
        else:
            result = self._after_waiting(resp, job_id)
        self.meters.count(metrics.SYNC_REQUESTS, result=result)
        if result in ("at_once", "no_room"):
            self.reply(resp, job, earlier)
        elif result == "too_slow" and (row := jobs.find(self.parts.db, job_id)) is not None:
            accepted(resp, standing(self.view, row))

    def _after_waiting(self, resp: falcon.Response, job_id: str) -> str:
        """Answer with what the job has become: `served`, `failed` or, unanswered, `too_slow`."""
        row = jobs.find(self.parts.db, job_id)
        if row is not None and row["status"] in OPEN:
            return "too_slow"
        resp.set_header("Location", f"/api/jobs/{job_id}")
        try:
            self.downloads.serve(resp, job_id, row)
        except Refused as refused:
            refused.fields["job_id"] = job_id
            self.meters.count(metrics.SYNC_REQUESTS, result="failed")
            raise
        return "served"
