"""The rows of a person: of every report of a code, or of one product of it. `actors/desk/erasure.py` removes them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from schema.environment.fitting import fit
from schema.rows import audit
from schema.rows.columns import IS_OPEN, JobId
from schema.sql.database import Database, Row, marks

_ENDED = "status IN ('completed','failed','cancelled')"
_BUSY = "EXISTS (SELECT 1 FROM deliveries d WHERE d.job_id=j.job_id AND d.status='processing')"


@dataclass(frozen=True, slots=True)
class Person:
    """Whose rows are meant."""

    code: str
    product_id: str | None = None  # None: of every product

    def where(self) -> tuple[str, tuple[str, ...]]:
        """SQL that says so of jobs or dead letters, and its parameters."""
        if self.product_id is None:
            return "code=%s", (self.code,)
        return "code=%s AND product_id=%s", (self.code, self.product_id)


def count(db: Database, person: Person, table: Literal["pdf_job_results", "dead_letters"] = "pdf_job_results") -> int:
    """How many jobs there are, or dead letters."""
    where, params = person.where()
    return db.count(f"SELECT COUNT(*) FROM {table} WHERE {where}", params)


def _jobs(db: Database, person: Person, which: str) -> list[Row]:
    where, params = person.where()
    query = f"SELECT job_id, artifact_id FROM pdf_job_results j WHERE {where} AND {which} ORDER BY job_id"
    return db.fetch_all(query, params)


def artifacts(db: Database, person: Person) -> set[str]:
    """The PDFs that the jobs have, or have reserved an id for."""
    return {row["artifact_id"] for row in _jobs(db, person, "artifact_id IS NOT NULL")}


def open_jobs(db: Database, person: Person) -> list[JobId]:
    """The jobs that have not ended."""
    return [row["job_id"] for row in _jobs(db, person, IS_OPEN)]


def is_posted(db: Database, person: Person) -> bool:
    """Whether a worker is busy with a callback."""
    return bool(_jobs(db, person, _BUSY))


def ended(db: Database, person: Person) -> list[tuple[JobId, str | None]]:
    """The jobs that have ended and whose callbacks no worker is busy with, each with its PDF."""
    return [(row["job_id"], row["artifact_id"]) for row in _jobs(db, person, f"{_ENDED} AND NOT {_BUSY}")]


def still_ended(db: Database, ids: Sequence[JobId]) -> list[JobId]:
    """Which of these jobs `ended` would still name; their rows, and their callbacks', are locked for the transaction."""
    jobs = db.fetch_all(
        f"SELECT job_id FROM pdf_job_results WHERE job_id IN ({marks(ids)}) AND {_ENDED} ORDER BY job_id{db.lock()}",
        ids,
    )
    owed = db.fetch_all(f"SELECT job_id, status FROM deliveries WHERE job_id IN ({marks(ids)}){db.lock()}", ids)
    busy = {row["job_id"] for row in owed if row["status"] == "processing"}
    return [row["job_id"] for row in jobs if row["job_id"] not in busy]


def erase_letters(db: Database, person: Person, by: str) -> int:
    """Delete the letters; how many. One that has, or soon has, a copy in `.XQ` stays as an empty shell.

    It goes when the leader has removed that copy: a copy without a row would be put back for ever.
    """
    where, params = person.where()
    shells = db.execute(
        f"UPDATE dead_letters SET status=CASE WHEN status='open' THEN 'discarded' ELSE status END, "
        f"resolved_at=COALESCE(resolved_at, {db.now()}), resolved_by=COALESCE(resolved_by, %s), "
        "error_message='(erased)', traceback=NULL, raw=NULL, code=NULL, product_id=NULL "
        f"WHERE {where} AND (published_at IS NOT NULL OR relay_token IS NOT NULL) AND swept_at IS NULL",
        (fit(by, 128), *params),
    )
    return shells + db.execute(f"DELETE FROM dead_letters WHERE {where}", params)


def erase_from_audit(db: Database, code: str) -> None:
    """Replace the code by its hash where older bulk replays and discards were noted with it."""
    named = re.compile(rf"(^| )code={re.escape(code)}(?= |$)")
    for act in db.fetch_all("SELECT id, subject FROM audit WHERE act IN ('bulk_replay','bulk_discard')"):
        scrubbed = named.sub(lambda found: found[1] + audit.subject_of(code), act["subject"])
        if scrubbed != act["subject"]:
            db.execute("UPDATE audit SET subject=%s WHERE id=%s", (fit(scrubbed, 255), act["id"]))
