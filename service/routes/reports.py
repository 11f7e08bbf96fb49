"""Submission: validated request → one row → 202; or many of them in one request: all are written, or none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import falcon
import msgspec
import structlog
from ulid import ULID

from schema.errors import Refused
from schema.http import queries, requests
from schema.http.responses import Accepted, BatchAccepted
from schema.rows import batches, passwords
from schema.rows.columns import JobRow, UsedKey
from schema.rows.jobs import PRIORITIES, KeyTaken, NewJob, known, turn_of
from schema.sql.database import patiently
from service.door.rates import RateLimits
from service.estimates import QueueView
from service.intake import Intake
from service.routes.products import require_fitting
from service.routes.route import Route, answer

log = structlog.get_logger()

_AGAIN = 1.0  # seconds in which a dropped connection is replaced and the same insert sent again


@dataclass(eq=False)
class Submitting(Route):
    """What every endpoint that takes reports shares."""

    view: QueueView

    def write(
        self, req: falcon.Request, wanted: list[NewJob], insert: Callable[[], None], another: str
    ) -> list[JobRow | UsedKey]:
        """Write the jobs; return nothing, or the rows that this Idempotency-Key has made before, even without room for more.

        `another` says what the key was sent with before, when it was not this body. Raises Refused: backlog_full,
        idempotency_key_reused.
        """
        earlier: list[JobRow | UsedKey] = []
        try:
            self.view.admit(len(wanted))
        except Refused:
            # Otherwise a caller who sends a request again would believe that no job was made.
            earlier = self._earlier(wanted)
            if not earlier:
                raise
        if not earlier:
            try:
                # The insert is harmless when repeated: a restarted database costs nobody their request.
                patiently(insert, _AGAIN, able=True)
                return []
            except KeyTaken as taken:
                earlier = self._earlier(wanted) or [taken.row]
        if [row["fingerprint"] for row in earlier] != [job.fingerprint for job in wanted]:
            reused = f"This Idempotency-Key was sent before with {another}; no job was made."
            raise Refused(reused, code="idempotency_key_reused")
        req.context.repeated = True
        return earlier

    def _earlier(self, wanted: list[NewJob]) -> list[JobRow | UsedKey]:
        rows = [known(self.parts.db, job.idempotency_key) for job in wanted if job.idempotency_key]
        return [row for row in rows if row is not None]


@dataclass(eq=False)
class Single(Submitting):
    """What the endpoints that take one report share."""

    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        self.intake = Intake(self.parts.db, self.parts.wake)

    def submit(self, req: falcon.Request) -> tuple[NewJob, JobRow | UsedKey | None]:
        """Write the job of the body, with None; or with the row of the job that its Idempotency-Key has made before."""
        submission = self.asked(req, requests.Submission)
        if queries.strict(req.params, req.get_header("Prefer")):
            require_fitting(self.parts, {"": submission})
        job = new_job(submission, req, self.parts.settings.sealing_keys)
        earlier = self.write(req, [job], lambda: self.intake.submit(job), "another body")
        if earlier:
            return job, earlier[0]
        req.context.asked = (submission.priority,)
        log.info("job.submitted", job_id=job.job_id, priority=submission.priority, request_id=job.request_id)
        return job, None

    def reply(self, resp: falcon.Response, job: NewJob, earlier: JobRow | UsedKey | None) -> None:
        """The plan's 202."""
        if earlier is None:
            accepted(resp, waiting(self.view, job))
        else:
            resp.set_header("Idempotent-Replayed", "true")
            accepted(resp, standing(self.view, earlier))


class GenerateAsync(Single):
    """POST /api/reports/generate-async."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Write the job and answer at once; the broker is not asked."""
        self.reply(resp, *self.submit(req))


@dataclass(eq=False)
class Batch(Submitting):
    """POST /api/reports/batch."""

    rates: RateLimits

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The batch's row and one per job in one transaction; 202 with one result per job, in order."""
        most = self.parts.settings.max_batch
        batch = self.asked(req, requests.Batch)
        if len(batch.jobs) > most:
            raise Refused(f"A batch may have {most} jobs.", code="batch_too_large")
        if queries.strict(req.params, req.get_header("Prefer")):
            require_fitting(self.parts, {f"jobs[{place}].": one for place, one in enumerate(batch.jobs)})
        new = batches.NewBatch(
            batch_id=f"bat_{ULID()}",
            owner=req.context.owner,
            callback=batch.callback,
            failure_callback=batch.failure_callback,
            meta=None if batch.meta is None else msgspec.json.encode(batch.meta),
        )
        batch_id: str | None = new.batch_id
        wanted = _keyed(req, batch, new.batch_id, self.parts.settings.sealing_keys)
        another = "another batch"
        rows = self.write(req, wanted, lambda: batches.submit(self.parts.db, new, wanted), another)
        if rows:
            first = rows[0]
            batch_id = batches.of_first(first["job_id"]) if "removed_at" in first else first["batch_id"]
            resp.set_header("Idempotent-Replayed", "true")
            answers = [standing(self.view, row) for row in rows]
        else:
            self.parts.wake()
            caller = req.context.caller
            if caller is not None:
                self.rates.owe(caller.key_id, caller.rate, len(wanted) - 1)
            req.context.asked = tuple(submission.priority for submission in batch.jobs)
            log.info("batch.submitted", batch_id=batch_id, count=len(wanted), request_id=req.context.request_id)
            answers = [waiting(self.view, job) for job in wanted]
        if batch_id is not None:
            resp.set_header("Location", f"/api/batches/{batch_id}")
        resp.set_header("Retry-After", "2")
        answer(resp, BatchAccepted(batch_id, answers), falcon.HTTP_202)


def _keyed(req: falcon.Request, batch: requests.Batch, batch_id: str, sealing: Sequence[str]) -> list[NewJob]:
    """The rows of a batch; each key and fingerprint stands for one place in this very batch."""
    made = enumerate(new_job(submission, req, sealing) for submission in batch.jobs)
    wanted = [replace(job, job_id=batches.member(batch_id, place), batch_id=batch_id) for place, job in made]
    key = wanted[0].idempotency_key
    if key is None:
        return wanted
    whole = requests.fingerprint(batch, sealing)
    keys = [requests.derived(key, f"batch {place}") for place in range(len(wanted))]
    return [replace(job, idempotency_key=own, fingerprint=whole) for job, own in zip(wanted, keys, strict=True)]


def new_job(submission: requests.Submission, req: falcon.Request, sealing: Sequence[str]) -> NewJob:
    """The row that a validated submission becomes; `sealing` are the keys of its password. Raises Refused."""
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
        file_name=submission.file_name or None,
        sealed_password=passwords.sealed(sealing, submission.password) if submission.password else None,
        owner=req.context.owner,
        idempotency_key=key,
        fingerprint=None if key is None else requests.fingerprint(submission, sealing),  # compared only behind a key
        request_id=req.context.request_id,
        traceparent=queries.traceparent(req.get_header("traceparent")),
    )


def waiting(view: QueueView, job: NewJob) -> Accepted:
    """How a job stands that was just written."""
    position, estimate = view.submitted(turn_of(job.priority), job.product_id)
    return Accepted(job.job_id, "queued", estimate, position)


def standing(view: QueueView, row: JobRow | UsedKey) -> Accepted:
    """How the job stands that was made before."""
    position, estimate = (None, None) if "removed_at" in row else view.of(row)
    return Accepted(row["job_id"], row["status"], estimate, position)


def accepted(resp: falcon.Response, job: Accepted) -> None:
    """The plan's 202, with where to look and when."""
    resp.set_header("Location", f"/api/jobs/{job.job_id}")
    resp.set_header("Retry-After", "2")
    answer(resp, job, falcon.HTTP_202)
