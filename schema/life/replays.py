"""Replay and discard of single dead letters, and resend of callbacks (DESIGN §7).

The command line, the API and RabbitMQ's own UI all call these functions. Each is audited and honours a letter once.
Many letters at a time: actors/desk/bulk_replays.py.
"""

from typing import Literal

from schema.callbacks.urls import is_resume_url
from schema.life import rounds
from schema.life.rounds import ReplayOutcome
from schema.rows import audit, deliveries, letters, posts
from schema.rows.columns import DeliveryRow
from schema.rows.outbox import DEAD_LETTERS, RAW_REPLAYS, Outbox
from schema.sql.database import Database, transactional

LetterOutcome = Literal[ReplayOutcome, "superseded", "not_whole"]
Discarded = Literal["discarded", "resolved", "unknown"]
Refusal = Literal["unknown", "no_callback", "superseded", "posting", "needs_force", "resume_url_used"]
Resent = Literal["queued", Refusal]


def replay_letter(db: Database, letter_id: str, *, by: str, why: str | None = None) -> LetterOutcome:
    """Honour a dead letter once; `resolved`: it was not open.

    A job's letter starts a new round. A delivery's letter tries the callback again without rendering. A raw letter's
    message is sent to its queue again as it was; `not_whole`: only its head was kept.
    """
    letter = letters.find(db, letter_id)
    if letter is None:
        return "unknown"
    if letter["kind"] == "job":
        return rounds.replay(db, letter["job_id"] or "", by=by, why=why, dead_letter_id=letter_id)
    if letter["error_code"] == letters.TOO_LARGE:
        return "not_whole"

    def work() -> LetterOutcome:
        if not letters.resolve(db, letter_id, "replayed", by):
            return "resolved"
        if letter["kind"] == "raw":
            run = f"UPDATE dead_letters SET run_at={db.now()}, {RAW_REPLAYS.BACK} WHERE dead_letter_id=%s"
            db.execute(run, (letter_id,))
            audit.note(db, by, "replay", letter_id, why)
            return "replayed"
        row = deliveries.find(db, letter["delivery_id"] or "")
        if row is not None and deliveries.overtaken(db, row):
            return "superseded"  # the letter is resolved: a newer round has told its end
        if row is None or row["status"] != "dead":
            return "not_ended"
        return "replayed" if _again(db, row, by, why) else "not_ended"

    return db.transaction(work)


def replay_moved(db: Database, letter_id: str) -> LetterOutcome:
    """Replay a letter whose copy was moved out of `.XQ`; a letter that stays open gets another copy."""
    outcome = replay_letter(db, letter_id, by="rabbitmq-ui")
    DEAD_LETTERS.unpublish(db, letter_id)
    return outcome


@transactional
def discard_letter(db: Database, letter_id: str, *, by: str, why: str | None = None) -> Discarded:
    """Close a letter without trying again; `resolved`: it was not open."""
    if not letters.resolve(db, letter_id, "discarded", by):
        return "resolved" if letters.find(db, letter_id) else "unknown"
    audit.note(db, by, "discard", letter_id, why)
    return "discarded"


@transactional
def resend(db: Database, delivery_id: str, *, by: str, why: str | None = None, force: bool = False) -> Resent:
    """Tell a callback once more, without rendering, or say why not. One that waits for its next try is tried at once.

    There is no URL: `no_callback`. A newer round has taken its place: `superseded`. A worker is posting it now: `posting`.
    It was delivered, and the receiver would be told twice: `needs_force`. A second POST could resume a later Wait node:
    `resume_url_used`, even with force.
    """
    row = deliveries.find(db, delivery_id, db.lock())
    refusal = _refusal(db, row, force)
    if refusal is not None or row is None:
        return refusal or "unknown"
    if not _again(db, row, by, why):
        return "posting"
    for letter in letters.open_of_delivery(db, delivery_id):
        letters.resolve(db, letter["dead_letter_id"], "replayed", by)
    return "queued"


def _refusal(db: Database, row: DeliveryRow | None, force: bool) -> Refusal | None:
    if row is None:
        return "unknown"
    if not row["url"]:
        return "no_callback"
    if deliveries.overtaken(db, row):
        return "superseded"
    if row["status"] in ("superseded", "processing"):
        return "superseded" if row["status"] == "superseded" else "posting"
    if row["status"] == "not_sent" or (row["status"] == "delivered" and is_resume_url(row["url"])):
        return "resume_url_used"
    return "needs_force" if row["status"] == "delivered" and not force else None


def _again(db: Database, row: DeliveryRow, by: str, why: str | None) -> bool:
    """The delivery waits again, due now and with a fresh budget; inside the caller's transaction.

    A forced resend stays forced until it has arrived. Otherwise the earlier 2xx would stop it.
    """
    delivery_id, status = row["delivery_id"], row["status"]
    forced = status == "delivered"
    if row["post_kind"] == "forced" and not forced:
        forced = not any(deliveries.forbids(row, tried, "forced") for tried in posts.of(db, delivery_id))
    kind = "forced" if forced else "manual"
    won = db.matched(
        f"UPDATE deliveries SET status='queued', run_at={db.now()}, budget_at={db.now()}, post_kind=%s, ended_at=NULL, "
        f"error_code=NULL, hint=NULL, {Outbox.BACK} WHERE delivery_id=%s AND status=%s",
        (kind, delivery_id, status),
    )
    audit.note(db, by, "resend" if kind == "forced" else "redeliver", delivery_id, why)
    return won
