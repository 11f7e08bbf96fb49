"""Jobs: the list; one job's status, cancel and replay."""

from __future__ import annotations

import falcon
import msgspec

from schema.callbacks.allow_list import AllowList
from schema.errors import Refused
from schema.http import queries, requests, responses
from schema.http.problems import problem_of
from schema.life import rounds
from schema.ports import End
from schema.rows import deliveries, jobs, listing
from schema.rows.jobs import find
from schema.rows.states import OPEN
from schema.sql.database import Row
from schema.sql.times import moment
from service.door.bodies import read_body
from service.estimates import QueueView
from service.parts import ApiParts
from service.routes.reports import accepted
from service.waiters import WaiterBoard


class Jobs:
    """GET /api/jobs."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """A page of jobs, newest first."""
        query = queries.list_query(req.params)
        rows, more = listing.page(self._parts.db, query)
        summaries = [_summary(row) for row in rows]
        cursor = listing.cursor_after(rows[-1]["job_id"]) if more else None
        resp.data = msgspec.json.encode(responses.JobPage(summaries, cursor))


class Job:
    """GET /api/jobs/{job_id}, and DELETE as another way to cancel."""

    def __init__(self, parts: ApiParts, view: QueueView, waiters: WaiterBoard) -> None:
        self._parts = parts
        self._view = view
        self._waiters = waiters

    def on_get(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        """The job as it stands, or, with `Prefer: wait=N`, once it has ended; a cleaned one as it is recorded."""
        prefer = queries.preference(req.get_header("Prefer"), self._parts.settings.longest_wait)
        row = find(self._parts.db, job_id)
        if prefer.wait and row is not None and row["status"] in OPEN and self._waiters.wait(job_id, prefer.wait):
            resp.set_header("Preference-Applied", f"wait={prefer.wait:g}")
            row = find(self._parts.db, job_id)
        if row is None:
            end = self._parts.documents.find_end(job_id)
            if end is None:
                raise Refused(f"There is no job {job_id[:80]!r}.", code="job_not_found")
            resp.data = msgspec.json.encode(_ended(end))
            return
        if row["status"] in OPEN:
            resp.set_header("Retry-After", "2")
        resp.data = msgspec.json.encode(self._shown(row))

    def on_delete(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        """Cancel."""
        Cancel(self._parts).on_post(req, resp, job_id)

    def _shown(self, row: Row) -> responses.Job:
        position, estimate = self._view.of(row)
        db = self._parts.db
        tried = [
            responses.Attempt(
                attempt["number"],
                attempt["round"],
                moment(attempt["started_at"]),
                moment(attempt["ended_at"]),
                attempt["outcome"],
                attempt["error_code"],
            )
            for attempt in jobs.attempts_of(db, row["job_id"])
        ]
        if row["status"] == "processing":
            started = moment(row["attempt_started_at"])
            tried.append(responses.Attempt(row["start_no"], row["round"], started, None, None, None))
        return responses.Job(
            job_id=row["job_id"],
            code=row["code"],
            product_id=row["product_id"],
            status=row["status"],
            priority=jobs.priority_word(row["priority"]),  # type: ignore[arg-type]
            round=row["round"],
            progress=row["progress"],
            stage=row["stage"],
            estimated_completion=estimate,
            position_in_queue=position,
            created_at=_submitted_at(row),
            started_at=moment(row["started_at"]),
            completed_at=moment(row["ended_at"]),
            attempts=tried,
            retry_count=row["retry_count"],
            google_drive_link=row["google_drive_link"],
            error=error_of(row["error_code"], row["error_message"]) if row["status"] == "failed" else None,
            webhook=_webhook(deliveries.of_job(db, row["job_id"]), row),
        )


class Cancel:
    """POST /api/jobs/{job_id}/cancel."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts

    def on_post(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        """200 when it is cancelled, 202 when it will be at the next checkpoint, 409 when it is too late."""
        outcome = rounds.cancel(self._parts.db, job_id)
        req.context.cancelled = outcome == "cancelled"
        if outcome == "unknown":
            raise Refused(f"There is no job {job_id[:80]!r}.", code="job_not_found")
        if outcome == "too_late":
            raise Refused("The PDF is being stored.", code="too_late")
        if outcome == "already":
            raise Refused("The job has ended.", code="already_ended")
        self._parts.wake()
        resp.status = falcon.HTTP_202 if outcome == "requested" else falcon.HTTP_200
        status = "processing" if outcome == "requested" else "cancelled"
        resp.data = msgspec.json.encode(responses.CancelAnswer(job_id, status, True))  # type: ignore[arg-type]


class Replay:
    """POST /api/jobs/{job_id}/replay."""

    def __init__(self, parts: ApiParts, view: QueueView, allow: AllowList) -> None:
        self._parts = parts
        self._view = view
        self._allow = allow

    def on_post(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        """A failed or cancelled job once more: a new round with a fresh budget."""
        body = read_body(req, self._parts.settings.max_body) or b"{}"
        asked: requests.Replay = requests.read(body, requests.Replay, self._allow)
        outcome = rounds.replay(
            self._parts.db,
            job_id,
            by=req.context.owner or "api",
            why=asked.why,
            callback=asked.callback,
            failure_callback=asked.failure_callback,
        )
        if outcome == "unknown":
            raise Refused(f"There is no job {job_id[:80]!r}.", code="job_not_found")
        if outcome != "replayed":
            raise Refused(
                f"The job is {'completed' if outcome == 'completed' else 'not ended'}.", code="not_replayable"
            )
        self._parts.wake()
        row = find(self._parts.db, job_id)
        assert row is not None
        position, estimate = self._view.of(row)
        accepted(resp, job_id, "queued", position, estimate)


def _submitted_at(row: Row) -> str | None:
    """When the job was asked for. The plan's `created_at` has whole seconds on MariaDB; a replay moves `requested_at`."""
    return moment(row["requested_at"] if row["round"] == 1 else row["created_at"])


def error_of(code: str | None, message: str | None) -> responses.JobError | None:
    """Why a job failed, and what to do."""
    return None if code is None else responses.JobError(code, message, problem_of(code).next_step)


def _webhook(rows: list[Row], job: Row) -> responses.Webhook | None:
    if not rows or rows[0]["round"] != job["round"]:
        return responses.Webhook("not_due", 0, None, None, None) if job["callback"] else None
    last = rows[0]
    waiting = last["status"] in OPEN
    return responses.Webhook(
        state="pending" if waiting else last["status"],
        tries=last["tries"],
        last_status=last["last_status"],
        next_try_at=moment(last["run_at"]) if last["status"] == "queued" else None,
        hint=last["hint"],
    )


def _summary(row: Row) -> responses.JobSummary:
    return responses.JobSummary(
        job_id=row["job_id"],
        code=row["code"],
        product_id=row["product_id"],
        status=row["status"],
        priority=jobs.priority_word(row["priority"]),  # type: ignore[arg-type]
        round=row["round"],
        progress=row["progress"],
        created_at=_submitted_at(row),
        completed_at=moment(row["ended_at"]),
        retry_count=row["retry_count"],
        google_drive_link=row["google_drive_link"],
        error_code=row["error_code"] if row["status"] == "failed" else None,
    )


def _not_sent() -> responses.Webhook:
    """The callback of a replay whose resume URL was spent, once its row is cleaned away."""
    return responses.Webhook("not_sent", 0, None, None, problem_of("resume_url_used").next_step)


def _ended(end: End) -> responses.Job:
    """What the permanent record tells of a cleaned job."""
    return responses.Job(
        job_id=end.job_id,
        code=end.code,
        product_id=end.product_id,
        status=end.status,  # type: ignore[arg-type]
        priority=None,
        round=end.round,
        progress=100 if end.status == "completed" else 0,
        stage=None,
        estimated_completion=None,
        position_in_queue=None,
        created_at=moment(end.requested_at),
        started_at=None,
        completed_at=moment(end.ended_at),
        attempts=[],
        retry_count=end.retry_count,
        google_drive_link=end.google_drive_link,
        error=error_of(end.error_code, end.error_message) if end.status == "failed" else None,
        webhook=_not_sent() if end.callback == "not_sent" else None,
    )
