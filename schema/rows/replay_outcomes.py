"""What became of dead letters that were replayed: ended well, failed again (in the same way?), or not ended yet."""

from collections.abc import Iterator

from schema.rows.columns import IS_OPEN, OPEN, DiedLetter, LetterKind
from schema.rows.letters import cause
from schema.sql.database import Database, marks
from schema.sql.times import as_time

_AT_ONCE = 500  # ids in one query

Sent = tuple[LetterKind, str | None]  # a replayed letter's kind, and its job's or callback's id

# A letter that was replayed is resolved: an open one of the same job or callback is a new one.
_DIED_AGAIN = {
    "job": "SELECT COUNT(*) FROM dead_letters WHERE status='open' AND kind='job' AND job_id IN ({})",
    "delivery": "SELECT COUNT(*) FROM dead_letters WHERE status='open' AND delivery_id IN ({})",
}
_UNFINISHED = {
    "job": f"SELECT COUNT(*) FROM pdf_job_results WHERE {IS_OPEN} AND job_id IN ({{}})",
    "delivery": f"SELECT COUNT(*) FROM deliveries WHERE {IS_OPEN} AND delivery_id IN ({{}})",
}


def sent_of(letter: DiedLetter) -> Sent:
    """What a letter that is replayed now stands for."""
    return letter["kind"], letter["delivery_id"] if letter["kind"] == "delivery" else letter["job_id"]


def died_again(db: Database, sent: list[Sent]) -> int:
    """How many of the replayed are open once more."""
    return _count(db, sent, _DIED_AGAIN)


def unfinished(db: Database, sent: list[Sent]) -> int:
    """How many of the replayed have not ended. Raw messages do not count: their end is not seen here."""
    return _count(db, sent, _UNFINISHED)


def _count(db: Database, sent: list[Sent], queries: dict[str, str]) -> int:
    """How many of the jobs and callbacks behind replayed letters a query finds."""
    found = 0
    for kind, query in queries.items():
        ids = [subject for of, subject in sent if of == kind and subject is not None]
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            found += db.count(query.format(marks(some)), some)
    return found


def fails_again(db: Database, letter: DiedLetter) -> bool | None:
    """Whether a replayed letter's job or callback has failed again in the same way; None while nothing has ended."""
    return next(_again_job(db, letter) if letter["kind"] == "job" else _again_delivery(db, letter), None)


def _again_job(db: Database, letter: DiedLetter) -> Iterator[bool]:
    rows = db.fetch_all(
        "SELECT outcome, error_code, error_message FROM attempts WHERE job_id=%s AND round>%s ORDER BY number",
        (letter["job_id"], letter["round"]),
    )
    for row in rows:
        if row["outcome"] == "completed":
            yield False
        elif row["outcome"] in ("failed", "timeout", "crashed"):
            same = cause(letter["queue"], row["error_code"] or "worker_died", row["error_message"] or "")
            crashes = row["outcome"] == "crashed" and letter["error_code"] == "worker_died"
            yield same == letter["fingerprint"] or crashes


def _again_delivery(db: Database, letter: DiedLetter) -> Iterator[bool]:
    died = as_time(letter["last_failed_at"])
    verdicts: list[str] = []
    for row in db.fetch_all(
        "SELECT started_at, outcome, verdict FROM delivery_attempts WHERE delivery_id=%s AND outcome<>'sending' "
        "ORDER BY number",
        (letter["delivery_id"],),
    ):
        if as_time(row["started_at"]) <= died:
            verdicts.append(row["verdict"])
        else:
            yield row["outcome"] != "delivered" and (not verdicts or row["verdict"] == verdicts[-1])
    status = db.scalar("SELECT status FROM deliveries WHERE delivery_id=%s", (letter["delivery_id"],))
    if status not in OPEN:
        yield status == "dead"
