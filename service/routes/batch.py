"""Many submissions in one request: all of them are written, or none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import falcon
import msgspec
import structlog

from schema.errors import Refused
from schema.http import requests, responses
from schema.rows import jobs
from schema.rows.jobs import NewJob, turn_of
from schema.sql.database import Row, patiently
from service.door.bodies import read_body
from service.door.rates import RateLimits
from service.routes.reports import Submitting, new_job

if TYPE_CHECKING:
    from schema.callbacks.allow_list import AllowList
    from service.estimates import QueueView
    from service.parts import ApiParts

log = structlog.get_logger()

_AGAIN = 1.0  # seconds in which a dropped connection is replaced


class Batch(Submitting):
    """POST /api/reports/batch."""

    def __init__(self, parts: ApiParts, view: QueueView, allow: AllowList, rates: RateLimits) -> None:
        super().__init__(parts, view, allow)
        self._rates = rates

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """One row per job in one transaction; 202 with one result per job, in order."""
        settings = self._parts.settings
        batch = requests.read(read_body(req, settings.max_body), requests.Batch, self._allow)
        if len(batch.jobs) > settings.max_batch:
            raise Refused(f"A batch may have {settings.max_batch} jobs.", code="batch_too_large")
        wanted = _keyed(req, batch)
        try:
            rows = self._admitted_all(wanted)
            if not rows:
                patiently(lambda: self._parts.db.transaction(lambda: self._write(wanted)), _AGAIN, able=True)
        except jobs.KeyTaken:
            rows = self._earlier(wanted)
        if rows:
            resp.set_header("Idempotent-Replayed", "true")
            req.context.repeated = True
            answers = [_result(row["job_id"], row["status"], *self._view.of(row)) for row in rows]
        else:
            self._parts.wake()
            caller = req.context.caller
            if caller is not None:
                self._rates.owe(caller.key_id, caller.rate, len(wanted) - 1)
            req.context.asked = tuple(submission.priority for submission in batch.jobs)
            log.info("batch.submitted", count=len(wanted), request_id=req.context.request_id)
            answers = [
                _result(job.job_id, "queued", *self._view.submitted(turn_of(job.priority), job.product_id))
                for job in wanted
            ]
        resp.status = falcon.HTTP_202
        resp.set_header("Retry-After", "2")
        resp.data = msgspec.json.encode(responses.BatchAccepted(answers))

    def _admitted_all(self, wanted: list[NewJob]) -> list[Row]:
        """Nothing when there is room for all; the rows that this key has made before are found also when there is none.

        Raises Refused: backlog_full, idempotency_key_reused.
        """
        try:
            self._view.admit(len(wanted))
        except Refused:
            if not any(jobs.find_by_key(self._parts.db, job.idempotency_key) for job in wanted if job.idempotency_key):
                raise
            return self._earlier(wanted)
        return []

    def _write(self, wanted: list[NewJob]) -> None:
        for job in wanted:
            jobs.submit(self._parts.db, job)

    def _earlier(self, wanted: list[NewJob]) -> list[Row]:
        """The rows that this Idempotency-Key has made before, if it was for the same batch."""
        rows = [jobs.find_by_key(self._parts.db, job.idempotency_key) for job in wanted if job.idempotency_key]
        found = [row for row in rows if row is not None]
        if [row["fingerprint"] for row in found] != [job.fingerprint for job in wanted]:
            raise Refused(
                "This Idempotency-Key was sent before with another batch, or some of its jobs are cleaned away by now; "
                "no job was made.",
                code="idempotency_key_reused",
            )
        return found


def _keyed(req: falcon.Request, batch: requests.Batch) -> list[NewJob]:
    """The rows of a batch; each key and fingerprint stands for one place in this very batch."""
    whole = requests.fingerprint(batch)
    wanted = []
    for place, submission in enumerate(batch.jobs):
        job = new_job(submission, req)
        if job.idempotency_key is not None:
            key = requests.derived(job.idempotency_key, f"batch {place}")
            job = replace(job, idempotency_key=key, fingerprint=whole)
        wanted.append(job)
    return wanted


def _result(job_id: str, status: str, position: int | None, estimate: str | None) -> responses.Accepted:
    return responses.Accepted(job_id, status, estimate, position)  # type: ignore[arg-type]
