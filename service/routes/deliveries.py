"""The delivery log of a job, and sending a callback once more."""

from __future__ import annotations

from typing import Any

import falcon
import msgspec

from schema.callbacks.urls import redact
from schema.errors import Refused
from schema.http import operator_requests
from schema.http.problems import problem_of
from schema.life import replays
from schema.rows import deliveries, jobs, posts
from schema.rows.states import OPEN
from schema.sql.database import Database, Row
from schema.sql.times import moment
from service.door.bodies import read_body
from service.parts import ApiParts

# Why a callback is not sent again → the problem's code and the sentence.
REFUSALS = {
    "unknown": ("delivery_not_found", "There is no such delivery."),
    "no_callback": ("not_resendable", "The job was submitted without a callback."),
    "superseded": ("not_resendable", "A newer round of the job has taken this callback's place."),
    "posting": ("not_resendable", "A worker is sending this callback right now."),
    "needs_force": ("needs_force", "The receiver took this callback already."),
    "resume_url_used": (
        "not_resendable",
        "The resume URL has done its work: a second POST could resume a later Wait node of the workflow.",
    ),
}


class Deliveries:
    """GET /api/jobs/{job_id}/deliveries."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts

    def on_get(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        """Each round's callback with every attempt, newest round first."""
        resp.data = msgspec.json.encode({"job_id": job_id, "deliveries": delivery_log(self._parts.db, job_id)})


class Resend:
    """POST /api/jobs/{job_id}/deliveries/{delivery_id}/resend."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts

    def on_post(self, req: falcon.Request, resp: falcon.Response, job_id: str, delivery_id: str) -> None:
        """202, or 409 with the reason; a delivered one needs `force`."""
        body = read_body(req, self._parts.settings.max_body) or b"{}"
        asked = operator_requests.read(body, operator_requests.Resend)
        row = deliveries.find(self._parts.db, delivery_id)
        if row is None or row["job_id"] != job_id:
            raise Refused(REFUSALS["unknown"][1], code="delivery_not_found")
        resend(self._parts.db, delivery_id, by=req.context.owner or "api", why=asked.why, force=asked.force)
        self._parts.wake()
        resp.status = falcon.HTTP_202
        resp.data = msgspec.json.encode({"job_id": job_id, "delivery_id": delivery_id, "state": "pending"})


def resend(db: Database, delivery_id: str, *, by: str, why: str | None = None, force: bool = False) -> None:
    """schema.life.replays.resend, its refusals raised as Refused."""
    outcome = replays.resend(db, delivery_id, by=by, why=why, force=force)
    if outcome != "queued":
        code, sentence = REFUSALS[outcome]
        raise Refused(sentence, code=code)


def delivery_log(db: Database, job_id: str) -> list[dict[str, Any]]:
    """A job's deliveries as JSON shows them, URLs redacted; raises Refused when there is no such job."""
    rows = deliveries.of_job(db, job_id)
    if not rows and jobs.find(db, job_id) is None:
        raise Refused(f"There is no job {job_id[:80]!r}.", code="job_not_found")
    return [_shown(db, row) for row in rows]


def _shown(db: Database, row: Row) -> dict[str, Any]:
    waiting = row["status"] in OPEN
    return {
        "delivery_id": row["delivery_id"],
        "round": row["round"],
        "event": row["event"],
        "url": redact(row["url"]) if row["url"] else None,
        "state": "pending" if waiting else row["status"],
        "error_code": row["error_code"],
        "hint": row["hint"],
        "next_step": problem_of(row["error_code"]).next_step if row["error_code"] else None,
        "tries": row["tries"],
        "last_status": row["last_status"],
        "owed_at": moment(row["owed_at"]),
        "recorded_at": moment(row["recorded_at"]),
        "ended_at": moment(row["ended_at"]),
        "next_try_at": moment(row["run_at"]) if row["status"] == "queued" else None,
        "attempts": [
            {
                "number": attempt["number"],
                "kind": attempt["kind"],
                "started_at": moment(attempt["started_at"]),
                "outcome": attempt["outcome"],
                "status": attempt["status"],
                "failure": attempt["failure"],
                "duration_ms": attempt["duration_ms"],
                "body_head": attempt["body_head"],
            }
            for attempt in posts.of(db, row["delivery_id"])
        ],
    }
