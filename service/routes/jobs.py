"""Jobs: the list; one job's status, cancel and replay."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, assert_never

import falcon

from schema.errors import Refused
from schema.http import queries, requests, responses
from schema.http.problems import problem_of
from schema.life import rounds
from schema.ports import End
from schema.rows import deliveries, found, jobs
from schema.rows.columns import OPEN, BatchRow, JobRow
from schema.sql.database import Database
from schema.sql.times import Moment, moment
from service.estimates import QueueView
from service.routes.deliveries import so_far
from service.routes.reports import accepted, standing
from service.routes.route import Route, answer, by, no_job
from service.waiters import WaiterBoard


class Jobs(Route):
    """GET /api/jobs."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """A page of jobs, newest first; of a code also those whose rows are gone."""
        rows, cursor = found.page(self.parts.db, self.parts.documents, queries.list_query(req.params))
        answer(resp, responses.JobPage([_summary(row) for row in rows], cursor))


@dataclass(eq=False)
class Job(Route):
    """GET and DELETE /api/jobs/{job_id}; POST …/cancel, which is DELETE by another name, and …/replay."""

    view: QueueView
    waiters: WaiterBoard

    def on_get(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        """The job as it stands, or, with `Prefer: wait=N`, once it has ended; a cleaned one as it is recorded."""
        prefer = queries.preference(req.get_header("Prefer"), self.parts.settings.longest_wait)
        row = jobs.find(self.parts.db, job_id)
        if prefer.wait and row is not None and row["status"] in OPEN and self.waiters.wait(job_id, prefer.wait):
            resp.set_header("Preference-Applied", f"wait={prefer.wait:g}")
            row = jobs.find(self.parts.db, job_id)
        if row is None:
            end = self.parts.documents.find_end(job_id)
            if end is None:
                raise no_job(job_id)
            answer(resp, _ended(end))
            return
        if row["status"] in OPEN:
            resp.set_header("Retry-After", "2")
        answer(resp, self._shown(row))

    def on_delete(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        """200 when it is cancelled, 202 when it will be at the next checkpoint, 409 when it is too late."""
        outcome = rounds.cancel(self.parts.db, job_id)
        req.context.cancelled = int(outcome == "cancelled")
        match outcome:
            case "unknown":
                raise no_job(job_id)
            case "too_late":
                raise Refused("The PDF is being stored.", code="too_late")
            case "already":
                raise Refused("The job has ended.", code="already_ended")
            case "requested":
                answer(resp, responses.CancelAnswer(job_id, "processing", True), falcon.HTTP_202)
            case "cancelled" | "cancelled_before":
                answer(resp, responses.CancelAnswer(job_id, "cancelled", True))
            case _:
                assert_never(outcome)
        self.parts.wake()

    on_post_cancel = on_delete

    def on_post_replay(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        """A failed or cancelled job once more: a new round with a fresh budget."""
        asked = self.asked(req, requests.Replay, optional=True)
        db, callback, failure_callback = self.parts.db, asked.callback, asked.failure_callback
        outcome = rounds.replay(
            db, job_id, by=by(req), why=asked.why, callback=callback, failure_callback=failure_callback
        )
        match outcome:
            case "unknown":
                raise no_job(job_id)
            case "completed":
                raise Refused("The job is completed.", code="not_replayable")
            case "not_ended" | "resolved":
                raise Refused("The job is not ended.", code="not_replayable")
            case "replayed":
                self.parts.wake()
            case _:
                assert_never(outcome)
        row = jobs.find(db, job_id)
        assert row is not None
        accepted(resp, standing(self.view, row))

    def _shown(self, row: JobRow) -> responses.Job:
        position, estimate = self.view.of(row)
        db = self.parts.db
        tried = [responses.shown(responses.Attempt, attempt) for attempt in jobs.attempts_of(db, row["job_id"])]
        if row["status"] == "processing":
            started = moment(row["attempt_started_at"])
            tried.append(responses.Attempt(row["start_no"], row["round"], started, None, None, None))
        return responses.shown(
            responses.Job,
            row,
            priority=jobs.priority_word(row["priority"]),
            estimated_completion=estimate,
            position_in_queue=position,
            created_at=_submitted_at(row),
            completed_at=moment(row["ended_at"]),
            attempts=tried,
            error=responses.error_of(row["error_code"], row["error_message"]) if row["status"] == "failed" else None,
            webhook=webhook_of(db, row["job_id"], row),
        )


def _submitted_at(row: Mapping[str, Any]) -> str | None:
    """When the job was asked for. The plan's `created_at` has whole seconds on MariaDB; a replay moves `requested_at`."""
    at: Moment | None = row["requested_at"] if row["round"] == 1 else row["created_at"]
    return moment(at)


def webhook_of(db: Database, key: str, job: JobRow | BatchRow) -> responses.Webhook | None:
    """How far the callback of the current round has come; `key` is the id of the job or batch."""
    rows = deliveries.of_job(db, key)
    if not rows or rows[0]["round"] != job["round"]:
        return responses.Webhook("not_due", 0, None, None, None) if job["callback"] else None
    return responses.shown(responses.Webhook, rows[0], **so_far(db, rows[0]))


def _summary(row: Mapping[str, Any]) -> responses.JobSummary:
    return responses.shown(
        responses.JobSummary,
        row,
        priority=None if row["priority"] is None else jobs.priority_word(row["priority"]),
        created_at=_submitted_at(row),
        completed_at=moment(row["ended_at"]),
        error_code=row["error_code"] if row["status"] == "failed" else None,
    )


def _ended(end: End) -> responses.Job:
    """What the permanent record tells of a cleaned job."""
    not_sent = responses.Webhook("not_sent", 0, None, None, problem_of("resume_url_used").next_step)
    return responses.shown(
        responses.Job,
        asdict(end),
        priority=None,
        progress=100 if end.status == "completed" else 0,
        stage=None,
        estimated_completion=None,
        position_in_queue=None,
        created_at=moment(end.requested_at),
        started_at=None,
        completed_at=moment(end.ended_at),
        attempts=[],
        error=responses.error_of(end.error_code, end.error_message) if end.status == "failed" else None,
        webhook=not_sent if end.callback == "not_sent" else None,
    )
