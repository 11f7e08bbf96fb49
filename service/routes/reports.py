"""Submission: validated request → one row → 202."""

from __future__ import annotations

import falcon
import msgspec
import structlog
from ulid import ULID

from schema.callbacks.allow_list import AllowList
from schema.errors import Refused
from schema.http import queries, requests, responses
from schema.rows.jobs import PRIORITIES, KeyTaken, NewJob, find_by_key, turn_of
from schema.sql.database import Row, patiently
from service.door.bodies import read_body
from service.estimates import QueueView
from service.intake import Intake
from service.parts import ApiParts

log = structlog.get_logger()

_AGAIN = 1.0  # seconds in which a dropped connection is replaced and the same insert sent again


class Submitting:
    """What every endpoint that takes a report shares."""

    def __init__(self, parts: ApiParts, view: QueueView, allow: AllowList) -> None:
        self._parts = parts
        self._view = view
        self._allow = allow
        self._intake = Intake(parts.db, parts.wake)

    def submit(self, req: falcon.Request, submission: requests.Submission) -> tuple[str, Row | None]:
        """Write the job; (job_id, None), or (job_id, row) of the job this Idempotency-Key has made before.

        The same Idempotency-Key with another body is refused: no job was made.
        """
        job = new_job(submission, req)
        earlier = self._admitted(job)
        if earlier is None:
            try:
                # The insert is harmless when repeated: a restarted database costs nobody their request.
                patiently(lambda: self._intake.submit(job), _AGAIN, able=True)
            except KeyTaken as taken:
                earlier = taken.row
        if earlier is not None:
            if earlier["fingerprint"] != job.fingerprint:
                raise Refused(
                    "This Idempotency-Key was sent before with another body; no job was made.",
                    code="idempotency_key_reused",
                )
            req.context.repeated = True
            return str(earlier["job_id"]), earlier
        req.context.asked = (*req.context.asked, submission.priority)
        log.info("job.submitted", job_id=job.job_id, priority=submission.priority, request_id=job.request_id)
        return job.job_id, None

    def _admitted(self, job: NewJob) -> Row | None:
        """None when there is room for the job; the row that its key has made before is found also when there is none.

        Else a caller who sends a request again would believe that no job was made. Raises Refused("backlog_full").
        """
        try:
            self._view.admit()
        except Refused:
            row = None if job.idempotency_key is None else find_by_key(self._parts.db, job.idempotency_key)
            if row is None:
                raise
            return row
        return None

    def answer(self, resp: falcon.Response, submission: requests.Submission, job_id: str, earlier: Row | None) -> None:
        """The plan's 202."""
        if earlier is None:
            turn = turn_of(PRIORITIES[submission.priority])
            accepted(resp, job_id, "queued", *self._view.submitted(turn, submission.product_id))
        else:
            resp.set_header("Idempotent-Replayed", "true")
            accepted(resp, job_id, earlier["status"], *self._view.of(earlier))


class GenerateAsync(Submitting):
    """POST /api/reports/generate-async."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Write the job and answer at once; the broker is not asked."""
        submission = requests.read(read_body(req, self._parts.settings.max_body), requests.Submission, self._allow)
        job_id, earlier = self.submit(req, submission)
        self.answer(resp, submission, job_id, earlier)


def new_job(submission: requests.Submission, req: falcon.Request) -> NewJob:
    """The row that a validated submission becomes."""
    key = requests.idempotency_key(req.get_header("Idempotency-Key"), req.context.owner)
    return NewJob(
        job_id=f"pdf_{ULID()}",
        code=submission.code,
        product_id=submission.product_id,
        priority=PRIORITIES[submission.priority],
        callback=submission.callback,
        failure_callback=submission.failure_callback,
        meta=None if submission.meta is None else msgspec.json.encode(submission.meta),
        inline=None if submission.data is None else msgspec.json.encode(submission.data),
        owner=req.context.owner,
        idempotency_key=key,
        fingerprint=None if key is None else requests.fingerprint(submission),  # compared only behind a key
        request_id=req.context.request_id,
        traceparent=queries.traceparent(req.get_header("traceparent")),
    )


def accepted(resp: falcon.Response, job_id: str, status: str, position: int | None, estimate: str | None) -> None:
    """The plan's 202, with where to look and when."""
    resp.status = falcon.HTTP_202
    resp.set_header("Location", f"/api/jobs/{job_id}")
    resp.set_header("Retry-After", "2")
    resp.data = msgspec.json.encode(responses.Accepted(job_id, status, estimate, position))  # type: ignore[arg-type]
