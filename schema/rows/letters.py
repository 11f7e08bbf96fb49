"""Dead letters: a permanent row until somebody resolves it, and a readable copy in RabbitMQ's `.XQ` (DESIGN §7)."""

import base64
import hashlib
import re
from collections.abc import Sequence

from ulid import ULID

from schema import VERSION
from schema.environment.fitting import fit
from schema.rows.columns import DeliveryId, HeldDelivery, HeldJob, JobId, LetterKind, LetterRow, Resolved
from schema.sql.database import Database, marks
from schema.sql.times import Moment

_VARIABLE = re.compile(r"0x[0-9a-f]+|[0-9A-Fa-f-]{8,}|\d+|'[^']*'|\"[^\"]*\"|“[^“”]*”")
_TRACEBACK = 4000  # characters kept
# Bytes of a message that a raw letter keeps: ours measure less, and a row must fit into any server's packet.
RAW_KEPT = 131_072
# What died: queue, kind, job, delivery, round, and the report's code and product.
_Subject = tuple[str, LetterKind, JobId, DeliveryId | None, int, str | None, str | None]
TOO_LARGE = "message_too_large"  # the code of letters that keep only the head of theirs


def cause(queue: str, error_code: str, message: str) -> str:
    """What letters with the same cause share: a hash of code and sentence, without numbers and quoted values."""
    skeleton = _VARIABLE.sub("…", message)[:200]
    return hashlib.sha256(f"{queue}\0{error_code}\0{skeleton}".encode()).hexdigest()[:16]


def bury_job(db: Database, job: HeldJob, error_code: str, message: str, traceback: str | None) -> str:
    """A job's dead letter, in the transaction that ends its round; its attempt row is written already."""
    ended = db.column(
        "SELECT ended_at, outcome FROM attempts WHERE job_id=%s AND round=%s ORDER BY number",
        (job["job_id"], job["round"]),
    )
    subject: _Subject = ("pdf", "job", job["job_id"], None, job["round"], job["code"], job["product_id"])
    return _bury(db, subject, error_code, message, traceback, ended)


def bury_delivery(
    db: Database, delivery: HeldDelivery, error_code: str, message: str, traceback: str | None = None
) -> str:
    """A delivery's dead letter: a callback that was stopped or ran out of tries; with a traceback, it broke here."""
    job_id, delivery_id = delivery["job_id"], delivery["delivery_id"]
    tried = db.column("SELECT started_at FROM delivery_attempts WHERE delivery_id=%s ORDER BY number", (delivery_id,))
    job = db.fetch_one("SELECT code, product_id FROM pdf_job_results WHERE job_id=%s", (job_id,)) or {}
    report = job.get("code"), job.get("product_id")
    subject: _Subject = ("webhooks", "delivery", job_id, delivery_id, delivery["round"], *report)
    return _bury(db, subject, error_code, message, traceback, tried)


def bury_raw(db: Database, queue: str, letter_id: str, body: bytes, error_code: str, message: str) -> bool:
    """Write the row of a message that no process of ours wrote, found in `.XQ`, with its first RAW_KEPT bytes.

    False when it has a row already: `letter_id` is made from the message, so that a crash in between makes no second row.
    """
    now, raw = db.now(), base64.b64encode(body[:RAW_KEPT]).decode()
    return db.insert(
        "INSERT INTO dead_letters (dead_letter_id, queue, kind, error_code, error_message, fingerprint, attempts, "
        f"first_failed_at, last_failed_at, version, raw, run_at) VALUES (%s,%s,'raw',%s,%s,%s,1,{now},{now},%s,%s,{now})",
        (letter_id, queue, error_code, message, cause(queue, error_code, message), VERSION, raw),
    )


def raw_body(letter: LetterRow) -> bytes:
    """The message of a raw letter, byte for byte; of one that was too large, its head."""
    return base64.b64decode(letter["raw"] or "")


def _bury(
    db: Database, subject: _Subject, error_code: str, message: str, traceback: str | None, tried: Sequence[Moment]
) -> str:
    """Write the letter; `tried` are the moments of what was tried, the first one first."""
    letter_id = f"dl_{ULID()}"
    now = db.now()
    db.defer(
        "INSERT INTO dead_letters (dead_letter_id, queue, kind, job_id, delivery_id, round, code, product_id, error_code, "
        "error_message, fingerprint, traceback, attempts, first_failed_at, last_failed_at, version, run_at) "
        f"VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,COALESCE(%s, {now}),{now},%s,{now})",
        (
            letter_id, *subject, error_code, message, cause(subject[0], error_code, message),
            (traceback or "")[-_TRACEBACK:] or None, len(tried), tried[0] if tried else None, VERSION,
        ),
    )  # fmt: skip
    return letter_id


def of_job(db: Database, job_id: str) -> list[LetterRow]:
    """The letters of a job and of its callbacks, oldest first."""
    return db.fetch_all("SELECT * FROM dead_letters WHERE job_id=%s ORDER BY dead_letter_id", (job_id,), of=LetterRow)


def open_by_queue(db: Database) -> dict[str, int]:
    """Queue → how many open letters, of queues that have any."""
    return db.tally("SELECT queue, COUNT(*) AS n FROM dead_letters WHERE status='open' GROUP BY queue")


def kinds(db: Database, most: int) -> list[str]:
    """The causes of open letters, at most so many."""
    return db.column(
        "SELECT DISTINCT fingerprint FROM dead_letters WHERE status='open' ORDER BY fingerprint LIMIT %s", (most,)
    )


def kind(db: Database, fingerprint: str) -> tuple[int, LetterRow | None]:
    """How many open letters have this cause, and the first of them."""
    found = db.fetch_one(
        "SELECT COUNT(*) AS n, MIN(dead_letter_id) AS first FROM dead_letters WHERE status='open' AND fingerprint=%s",
        (fingerprint,),
    )
    return (0, None) if found is None or not found["n"] else (int(found["n"]), find(db, found["first"]))


def find(db: Database, letter_id: str) -> LetterRow | None:
    """The letter, or None."""
    return db.fetch_one("SELECT * FROM dead_letters WHERE dead_letter_id=%s", (letter_id,), of=LetterRow)


def open_of_job(db: Database, job_id: str) -> list[LetterRow]:
    """The open letters that speak of a job, newest first."""
    return db.fetch_all(
        "SELECT * FROM dead_letters WHERE job_id=%s AND status='open' ORDER BY dead_letter_id DESC",
        (job_id,),
        of=LetterRow,
    )


def open_of_delivery(db: Database, delivery_id: str) -> list[LetterRow]:
    """The open letters of a delivery; there is at most one."""
    return db.fetch_all(
        "SELECT * FROM dead_letters WHERE delivery_id=%s AND status='open'", (delivery_id,), of=LetterRow
    )


def resolve(db: Database, letter_id: str, status: Resolved, by: str) -> bool:
    """Close an open letter as `replayed` or `discarded`, once: the guard that honours a moved message only once."""
    return db.matched(
        f"UPDATE dead_letters SET status=%s, resolved_at={db.now()}, resolved_by=%s "
        "WHERE dead_letter_id=%s AND status='open'",
        (status, fit(by, 128), letter_id),
    )


def resolve_of_job(db: Database, job_id: str, status: Resolved, by: str) -> None:
    """Close every open letter of a job: a new round answers them all."""
    for letter in open_of_job(db, job_id):
        resolve(db, letter["dead_letter_id"], status, by)


def to_sweep(db: Database, limit: int = 20_000) -> dict[str, set[str]]:
    """Queue → resolved letters whose copy may still lie in its `.XQ`.

    A letter that was resolved while a relay held it has a copy too: its mark came too late and found nothing.
    """
    # Two queries, each of one range of idx_dead_copies: so letters that never had a copy are not read.
    resolved = (
        "SELECT dead_letter_id, queue FROM dead_letters WHERE swept_at IS NULL AND status IN ('replayed','discarded')"
    )
    rows = db.fetch_all(f"{resolved} AND published_at IS NOT NULL LIMIT %s", (limit,))
    rows += db.fetch_all(
        f"{resolved} AND published_at IS NULL AND relay_token IS NOT NULL AND relay_until <= {db.later(-10)} LIMIT %s",
        (limit,),
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["queue"], set()).add(row["dead_letter_id"])
    return found


def copies(db: Database, queue: str) -> int:
    """How many letters may have a copy in the queue's `.XQ`."""
    return db.count(
        "SELECT COUNT(*) FROM dead_letters WHERE swept_at IS NULL AND queue=%s "
        "AND (published_at IS NOT NULL OR relay_token IS NOT NULL)",
        (queue,),
    )


def shown(db: Database, queue: str) -> int:
    """How many open letters of the queue have been published to its `.XQ`."""
    # An open letter is never swept: with this condition an index alone answers.
    open_ = "status='open' AND swept_at IS NULL AND published_at IS NOT NULL"
    return db.count(f"SELECT COUNT(*) FROM dead_letters WHERE {open_} AND queue=%s", (queue,))


def homes(db: Database, letter_ids: list[str]) -> dict[str, str | None]:
    """Letter → the queue in whose `.XQ` its copy belongs, None for resolved ones; letters without a row are left out."""
    if not letter_ids:
        return {}
    rows = db.fetch_all(
        f"SELECT dead_letter_id, queue, status FROM dead_letters WHERE dead_letter_id IN ({marks(letter_ids)})",
        letter_ids,
    )
    return {row["dead_letter_id"]: row["queue"] if row["status"] == "open" else None for row in rows}


def note_swept(db: Database, letter_ids: list[str]) -> None:
    """Their copies are gone from `.XQ`."""
    for start in range(0, len(letter_ids), 200):
        chunk = letter_ids[start : start + 200]
        db.execute(f"UPDATE dead_letters SET swept_at={db.now()} WHERE dead_letter_id IN ({marks(chunk)})", chunk)
