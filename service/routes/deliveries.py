"""The delivery log of a job, and sending a callback once more."""

from collections.abc import Mapping

import falcon

from schema.callbacks.urls import redact
from schema.errors import Refused
from schema.http import requests
from schema.http.problems import problem_of
from schema.http.responses import Delivery, DeliveryLog, Post, Resent, shown
from schema.life import replays
from schema.rows import deliveries, jobs, pauses, posts
from schema.rows.columns import OPEN, DeliveryRow
from schema.sql.database import Database
from schema.sql.times import moment
from service.routes.route import Route, answer, by, no_job

# Why a callback is not sent again → the problem's code and the sentence.
REFUSALS: Mapping[replays.Refusal, tuple[str, str]] = {
    "unknown": ("delivery_not_found", "There is no such delivery."),
    "no_callback": ("not_resendable", "The job was submitted without a callback."),
    "superseded": ("not_resendable", "A newer round of the job has taken this callback's place."),
    "posting": ("not_resendable", "A worker is sending this callback right now."),
    "needs_force": ("needs_force", "The receiver took this callback already."),
    "resume_url_used": (
        "not_resendable",
        "The resume URL was used before: a second POST could resume a later Wait node of the workflow.",
    ),
}


class Deliveries(Route):
    """GET /api/jobs/{job_id}/deliveries, and POST …/{delivery_id}/resend."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        """Each round's callback with every attempt, newest round first."""
        answer(resp, delivery_log(self.parts.db, job_id))

    def on_post_resend(self, req: falcon.Request, resp: falcon.Response, job_id: str, delivery_id: str) -> None:
        """202, or 409 with the reason; a delivered one needs `force`."""
        asked = self.asked(req, requests.Resend, optional=True)
        row = deliveries.find(self.parts.db, delivery_id)
        if row is None or row["job_id"] != job_id:
            raise Refused(REFUSALS["unknown"][1], code="delivery_not_found")
        resend(self.parts.db, delivery_id, by=by(req), why=asked.why, force=asked.force)
        self.parts.wake()
        answer(resp, Resent(job_id, delivery_id, "pending"), falcon.HTTP_202)


def resend(db: Database, delivery_id: str, *, by: str, why: str | None = None, force: bool = False) -> None:
    """schema.life.replays.resend, its refusals raised as Refused."""
    outcome = replays.resend(db, delivery_id, by=by, why=why, force=force)
    if outcome != "queued":
        code, sentence = REFUSALS[outcome]
        raise Refused(sentence, code=code)


def delivery_log(db: Database, job_id: str) -> DeliveryLog:
    """A job's deliveries, URLs redacted; raises Refused when there is no such job."""
    rows = deliveries.of_job(db, job_id)
    if not rows and jobs.find(db, job_id) is None:
        raise no_job(job_id)
    return DeliveryLog(job_id, [_shown(db, row) for row in rows])


def so_far(db: Database, row: DeliveryRow) -> dict[str, str | None]:
    """How far a callback has come, for people: its state, what it waits for, and when it is tried next."""
    return {
        "state": "pending" if row["status"] in OPEN else row["status"],
        "hint": pauses.hint_of(db, row),
        "next_try_at": moment(row["run_at"]) if row["status"] == "queued" else None,
    }


def _shown(db: Database, row: DeliveryRow) -> Delivery:
    return shown(
        Delivery,
        row,
        **so_far(db, row),
        url=redact(row["url"]) if row["url"] else None,
        next_step=problem_of(row["error_code"]).next_step if row["error_code"] else None,
        attempts=[shown(Post, attempt) for attempt in posts.of(db, row["delivery_id"])],
    )
