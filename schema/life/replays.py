"""Replay and discard of single dead letters, and resend of callbacks (DESIGN §7).

One set of functions behind the command line, the API and RabbitMQ's own UI; all of them are audited and each honours a
letter once. Many at a time: actors/desk/bulk_replays.py.
"""

from __future__ import annotations

from schema.callbacks.urls import is_resume_url
from schema.life import rounds
from schema.rows import audit, deliveries, letters, posts
from schema.rows.outbox import DEAD_LETTERS, RAW_REPLAYS, Outbox
from schema.sql.database import Database, Row


def replay_letter(db: Database, letter_id: str, *, by: str, why: str | None = None) -> str:
    """Honour a dead letter once: `replayed`, `resolved` (it was not open), `unknown`, `not_whole`, or what rounds.replay
    says.

    A job's letter starts a new round; a delivery's letter tries the callback again without rendering; a raw letter's
    message is sent to its queue again as it was, unless only its head was kept.
    """
    letter = letters.find(db, letter_id)
    if letter is None:
        return "unknown"
    if letter["kind"] == "job":
        return rounds.replay(db, letter["job_id"], by=by, why=why, dead_letter_id=letter_id)
    if letter["kind"] == "raw":
        if letter["error_code"] == letters.TOO_LARGE:
            return "not_whole"
        return _send_raw(db, letter_id, by, why)

    def work() -> str:
        if not letters.resolve(db, letter_id, "replayed", by):
            return "resolved"
        row = deliveries.find(db, letter["delivery_id"])
        if row is not None and deliveries.overtaken(db, row):
            return "superseded"  # the letter is resolved: a newer round has told its end
        if row is None or row["status"] != "dead":
            return "not_ended"
        return "replayed" if _again(db, row, by, why) else "not_ended"

    return db.transaction(work)


def replay_moved(db: Database, letter_id: str) -> str:
    """The same for a letter whose copy was taken out of `.XQ`; one that stays open gets another copy."""
    outcome = replay_letter(db, letter_id, by="rabbitmq-ui")
    DEAD_LETTERS.unpublish(db, letter_id)
    return outcome


def discard_letter(db: Database, letter_id: str, *, by: str, why: str | None = None) -> str:
    """Close a letter without trying again: `discarded`, `resolved` (it was not open) or `unknown`."""

    def work() -> str:
        if not letters.resolve(db, letter_id, "discarded", by):
            return "resolved" if letters.find(db, letter_id) else "unknown"
        audit.note(db, by, "discard", letter_id, why)
        return "discarded"

    return db.transaction(work)


def resend(db: Database, delivery_id: str, *, by: str, why: str | None = None, force: bool = False) -> str:
    """Tell a callback once more, without rendering: `queued`, or why not.

    `unknown` · `no_callback` (there is no URL) · `superseded` (a newer round has taken its place) · `posting` (a worker is
    at it) · `needs_force` (it was delivered: the receiver would be told twice) · `resume_url_used` (refused even with
    force: a second POST could resume a later Wait node). One that waits for its next try is tried at once.
    """

    def work() -> str:
        lock = " FOR UPDATE" if db.dialect == "mysql" else ""
        row = db.fetch_one(f"SELECT * FROM deliveries WHERE delivery_id=%s{lock}", (delivery_id,))
        refusal = _refusal(db, row, force)
        if refusal is not None or row is None:
            return refusal or "unknown"
        if not _again(db, row, by, why):
            return "posting"
        for letter in letters.open_of_delivery(db, delivery_id):
            letters.resolve(db, letter["dead_letter_id"], "replayed", by)
        return "queued"

    return db.transaction(work)


def _refusal(db: Database, row: Row | None, force: bool) -> str | None:
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


def _again(db: Database, row: Row, by: str, why: str | None) -> bool:
    """The delivery waits again, due now and with a fresh budget; inside the caller's transaction.

    What was forced stays so until it has arrived: it repeats a 2xx, which would else keep it from being sent.
    """
    delivery_id, status = row["delivery_id"], row["status"]
    forced = status == "delivered"
    if row["post_kind"] == "forced" and not forced:
        forced = not any(deliveries.forbids(row, tried, "forced") for tried in posts.of(db, delivery_id))
    kind = "forced" if forced else "manual"
    won = db.execute(
        f"UPDATE deliveries SET status='queued', run_at={db.now()}, budget_at={db.now()}, post_kind=%s, ended_at=NULL, "
        f"error_code=NULL, hint=NULL, {Outbox.BACK} WHERE delivery_id=%s AND status=%s",
        (kind, delivery_id, status),
    )
    audit.note(db, by, "resend" if kind == "forced" else "redeliver", delivery_id, why)
    return won > 0


def _send_raw(db: Database, letter_id: str, by: str, why: str | None) -> str:
    def work() -> str:
        if not letters.resolve(db, letter_id, "replayed", by):
            return "resolved"
        db.execute(
            f"UPDATE dead_letters SET run_at={db.now()}, {RAW_REPLAYS.BACK} WHERE dead_letter_id=%s", (letter_id,)
        )
        audit.note(db, by, "replay", letter_id, why)
        return "replayed"

    return db.transaction(work)
