"""A job's story in order of time: submitted, attempts, ends, callbacks with their answers, dead letters, operators' acts.

The console tells the same events from the API's answers (service/console/story.js). URLs are shown without what makes
them capabilities.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schema.callbacks.urls import redact
from schema.http.problems import problem_of
from schema.ports import End
from schema.rows import audit, deliveries, jobs, letters, messages, pauses, rendered, waiting
from schema.rows import posts as delivery_attempts
from schema.rows.columns import AttemptRow, DeliveryRow, JobRow, LetterRow, PauseRow
from schema.sql.database import Database
from schema.sql.times import as_time

_ATTEMPTS = {
    "completed": "completed", "failed": "failed", "timeout": "ran out of time", "returned": "gave the job back",
    "crashed": "died", "cancelled": "was cancelled",
}  # fmt: skip
_ENDS = {"completed": "PDF stored", "failed": "Job failed", "cancelled": "Job cancelled"}
_ACTS = {
    "replay": "Replayed", "redeliver": "Callback sent again", "resend": "Callback sent again",
    "discard": "Dead letter discarded",
}  # fmt: skip
_SHOWN = 200  # characters of an answer's body


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, or (without a moment, or with one to come) is about to."""

    at: datetime | None
    rank: int  # of what happened in the same instant the cause comes first
    title: str
    lines: tuple[str, ...] = ()


def of_job(db: Database, job: JobRow, holding: Mapping[str, list[str]], current: str | None = None) -> list[Event]:
    """Everything that the rows know of a job, oldest first, and last what comes next.

    `holding` is what keeps work of each queue from being started. `current` is the version of the product's template.
    """
    job_id = job["job_id"]
    tried = jobs.attempts_of(db, job_id)
    owed = deliveries.of_job(db, job_id)[::-1]
    died = letters.of_job(db, job_id)
    subjects = [job_id, *(row["delivery_id"] for row in owed), *(row["dead_letter_id"] for row in died)]
    acts = [act for subject in subjects for act in audit.of(db, subject)]
    replays = sorted(as_time(act["at"]) for act in acts if act["act"] == "replay")
    happened = [
        Event(_submitted_at(job, tried), 0, "Submitted", _lines(
            f"report {job['code']}, product {job['product_id']}",
            f"request {job['request_id']}" if job["request_id"] else None,
            _batch(job["batch_id"]),
        )),
        *(_attempt(row) for row in tried),
        *(_end(row, tried) for row in owed),
        *(event for row in owed for event in _callback(db, row, replays)),
        *(_letter(row) for row in died),
        *(Event(as_time(act["at"]), 1, f"{_ACTS.get(act['act'], act['act'])} by {act['who']}", _lines(act["why"]))
          for act in acts),
    ]  # fmt: skip
    happened.sort(key=lambda event: (event.at is None, event.at, event.rank))
    return [*happened, *_now(db, job, holding), *_next(db, job, tried, owed, holding), *_redrawn(job, current)]


def of_end(end: End) -> list[Event]:
    """What the permanent record keeps of a job whose rows were cleaned away."""
    asked = "Submitted" if end.round == 1 else f"Replayed (round {end.round})"
    return [
        Event(end.requested_at, 0, asked, _lines(f"report {end.code}, product {end.product_id}", _batch(end.batch_id))),
        Event(end.ended_at, 1, _titled(end.status, end.round),
              _why(end.status, end.google_drive_link, end.error_code, end.error_message, end.template_version)),
    ]  # fmt: skip


def _batch(batch_id: str | None) -> str | None:
    return f"in batch {batch_id}" if batch_id else None


def _submitted_at(job: JobRow, tried: list[AttemptRow]) -> datetime | None:
    """A replay moves `requested_at`; the plan's `created_at` has whole seconds and must not come after the first start."""
    if job["round"] == 1:
        return as_time(job["requested_at"])
    moments = [as_time(job["created_at"]), *(as_time(row["started_at"]) for row in tried[:1])]
    return min((moment for moment in moments if moment is not None), default=None)


def _attempt(row: AttemptRow) -> Event:
    took = as_time(row["ended_at"]) - as_time(row["started_at"])
    who = f" on {row['worker_id']}" if row["worker_id"] else ""
    title = f"Attempt {row['number']} (round {row['round']}) {_ATTEMPTS.get(row['outcome'], row['outcome'])}"
    why = f"{row['error_code']}: {row['error_message'] or ''}".rstrip(": ") if row["error_code"] else None
    return Event(as_time(row["ended_at"]), 3, title, _lines(f"took {took.total_seconds():.1f} s{who}", why))


def _end(delivery: DeliveryRow, tried: Iterable[AttemptRow]) -> Event:
    """The end of a round, by what is owed for it; the attempt that caused it is told first, though written after."""
    record: dict[str, Any] = json.loads(delivery["record"])
    moments = [as_time(delivery["owed_at"])]
    moments += [as_time(row["ended_at"]) for row in tried if row["round"] == delivery["round"]]
    why = _why(
        delivery["event"], record.get("google_drive_link"), record.get("error_code"), record.get("error_message"),
        record.get("template_version"),
    )  # fmt: skip
    return Event(max(m for m in moments if m is not None), 4, _titled(delivery["event"], delivery["round"]), why)


def _titled(status: str, round_: int) -> str:
    return f"{_ENDS.get(status, status)} (round {round_})"


def _why(status: str, link: str | None, code: str | None, message: str | None, made: str | None) -> tuple[str, ...]:
    template = f"template {made}" if made else None
    if status == "completed":
        return _lines(link, template)
    told = _lines(f"{code}: {message or ''}", f"What to do: {problem_of(code).next_step}") if code else ()
    return (*told, *_lines(template))


def _callback(db: Database, row: DeliveryRow, replays: Sequence[datetime]) -> Iterator[Event]:
    """Each POST with its answer; on the last one the hint that goes with it. A replay is noted a moment after what it
    supersedes, and told before it."""
    posts = delivery_attempts.of(db, row["delivery_id"])
    for post in posts:
        answer = (
            f"answered {post['status']}" if post["status"] else (post["failure"] or post["outcome"]).replace("_", " ")
        )
        title = "Callback being sent" if post["outcome"] == "sending" else f"Callback {answer}"
        kind = "" if post["kind"] == "scheduled" else f", {post['kind']}"
        took = "" if post["duration_ms"] is None else f", {post['duration_ms']} ms"
        body = " ".join((post["body_head"] or "").split())
        hint = row["hint"] if post is posts[-1] else None
        yield Event(as_time(post["started_at"]), 6, title, _lines(
            f"try {post['number']} of round {row['round']}{kind}: {post['outcome']}{took}, {redact(row['url'] or '')}",
            f"it said: {body[:_SHOWN]}{'…' if len(body) > _SHOWN else ''}" if body else None,
            hint,
        ))  # fmt: skip
    ended = as_time(row["ended_at"])
    if row["status"] == "not_sent":
        yield Event(ended, 7, "Callback not sent", _lines(row["hint"] or "The resume URL was used before."))
    elif row["status"] == "superseded":
        ended = next((moment for moment in replays if moment and ended and moment >= ended), ended)
        yield Event(ended, 7, f"Callback of round {row['round']} superseded by a newer round")
    elif row["status"] == "recorded":
        yield Event(ended, 7, f"Recorded for good (round {row['round']}); no callback was asked for")


def _letter(row: LetterRow) -> Event:
    title = "Callback given up" if row["kind"] == "delivery" else "Dead letter"
    state = "open" if row["status"] == "open" else f"{row['status']} by {row['resolved_by'] or 'somebody'}"
    tries = "1 attempt" if row["attempts"] == 1 else f"{row['attempts']} attempts"
    return Event(as_time(row["last_failed_at"]), 8, title, _lines(
        row["error_message"], f"{row['dead_letter_id']}, {row['error_code']}, {tries}, {state}",
    ))  # fmt: skip


def _now(db: Database, job: JobRow, holding: Mapping[str, list[str]]) -> Iterator[Event]:
    """The attempt that runs, which has no row of its own yet."""
    if job["status"] != "processing":
        return
    title = f"Attempt {job['start_no']} (round {job['round']}) runs"
    told = f"{job['stage'] or 'starting'}, {job['progress']} %, on {job['worker_id']}"
    asked = "A cancellation was asked for: it stops at its next checkpoint." if job["cancel_requested_at"] else None
    yield Event(as_time(job["attempt_started_at"]), 2, title, _lines(told, asked))
    if rendered.waits(job):
        waits = rendered.total(rendered.waiting(db))
        place = f"{rendered.ahead_of(db, job) + 1:,} of {waits:,} PDFs that wait for the store"
        hold = pauses.in_force(db).get(f"{pauses.DEPENDENCY}drive")
        yield Event(None, 9, "Next: its PDF is stored", (place, *_held_by(hold, holding[messages.RENDER])))


def _next(
    db: Database, job: JobRow, tried: Iterable[AttemptRow], owed: list[DeliveryRow], holding: Mapping[str, list[str]]
) -> Iterator[Event]:
    paused = pauses.in_force(db)
    if job["status"] == "queued":
        again = any(row["round"] == job["round"] for row in tried)
        title = "Next: tried again when its turn comes" if again else "Next: waits for a worker"
        place = f"{waiting.ahead_of(db, job) + 1:,} of {waiting.count(db):,} that wait"
        held = _held_by(pauses.hold(paused, messages.RENDER), holding[messages.RENDER])
        yield Event(as_time(job["run_at"]), 9, title, (place, *held))
    if owed and owed[-1]["status"] == "queued":
        last = owed[-1]
        title = "Next: callback is tried again" if last["tries"] else "Next: callback is sent"
        held = _held_by(pauses.of_delivery(paused, last), holding[messages.WEBHOOKS])
        yield Event(as_time(last["run_at"]), 9, title if last["url"] else "Next: recorded for good", held)


def _redrawn(job: JobRow, current: str | None) -> Iterator[Event]:
    """A warning that a replay, or the next try, would draw with another template than before."""
    if job["status"] != "completed" and current and job["template_version"] not in (None, current):
        before = f"template {job['template_version']} until now, template {current} from now on"
        yield Event(None, 10, "The template has changed: a further try draws another report", (before,))


def _held_by(pause: PauseRow | None, holding: Iterable[str]) -> tuple[str, ...]:
    if pause is None:
        return tuple(f"but: {sentence}" for sentence in holding)
    since = as_time(pause["since"])
    who = "since it does not answer" if pause["set_by"] == pauses.OUTAGE else f"by {pause['set_by']}"
    return (f"but {pauses.named(pause['scope'])} is paused {who}, {since:%Y-%m-%d %H:%M:%S} UTC: {pause['reason']}",)


def _lines(*lines: str | None) -> tuple[str, ...]:
    return tuple(line for line in lines if line)
