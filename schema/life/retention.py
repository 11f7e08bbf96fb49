"""Removes old rows: ended jobs and batches, resolved letters, used keys, links, previews; record and PDF stay (DESIGN §4).

A job stays while anything is owed: a delivery that has not ended, a permanent record that is not written, an open dead
letter. A batch of jobs stays as long, and while a row of its jobs does. Candidates are read off an index alone, a few at
a time. These are locked by primary key and looked at again before they go. So a replay or a submission waits for one
small transaction at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from schema.rows import batches, links, used_keys
from schema.rows.columns import OPEN, BatchRow, DeliveryStatus, JobId, KnownJob
from schema.rows.jobs import PREVIEW
from schema.sql.database import Database, Place, beyond, marks, transactional
from schema.sql.times import Moment

_BATCH = 50  # rows of one transaction
_LETTERS = 200
PREVIEWS = 300.0  # Seconds that the row of a preview stays which nobody has taken.
_ENDED = "('completed','failed','cancelled')"


@dataclass(slots=True)
class EndedRows:
    """The rows of everything that has ended, removed batch by batch; remembers how far it has come."""

    db: Database
    keep: float  # Seconds after its end that a job's rows stay.
    keep_letters: float  # Seconds after it was resolved that a dead letter stays.
    letters_are_swept: bool = True  # Whether copies lie in .XQ that must go first.
    _after: Place | None = None  # (ended_at, job_id) of the last candidate looked at.
    _batches_after: Place | None = None
    _letters_after: dict[str, Place | None] = field(default_factory=dict)  # Status → the last letter looked at.

    def remove_jobs(self) -> tuple[int, bool]:
        """Remove one batch of jobs: how many went, and whether there are more to look at."""
        rows = self.db.fetch_all(*candidates_query(self.db, self.keep, self._after))
        more = len(rows) == _BATCH
        # Set first, so that no page is in the way of the next. At the end it begins anew, with those that had to stay.
        self._after = (rows[-1]["ended_at"], rows[-1]["job_id"]) if more else None
        return _clean(self.db, self.keep, [row["job_id"] for row in rows]) if rows else 0, more

    def remove_others(self) -> None:
        """Keys whose jobs are gone, links that have expired, previews that nobody took; a page at each call."""
        used_keys.remove_old(self.db)
        links.remove_old(self.db)
        untaken = self.db.column(
            f"SELECT job_id FROM pdf_job_results{self.db.by('PRIMARY')} WHERE job_id > %s "
            f"AND ended_at <= {self.db.later(-PREVIEWS)} ORDER BY job_id LIMIT %s",
            (PREVIEW, _BATCH),
        )
        if untaken:  # nothing is owed to anybody: they need no second look
            remove(self.db, untaken)

    def remove_batches(self) -> None:
        """Batches that ended long enough ago and whose jobs have no row left; a page at each call."""
        further, params = beyond(self._batches_after, "ended_at", "batch_id")
        page = self.db.fetch_all(
            f"SELECT * FROM batches WHERE ended_at <= {self.db.later(-self.keep)}{further} "
            "ORDER BY ended_at, batch_id LIMIT %s",
            (*params, _BATCH),
            of=BatchRow,
        )
        self._batches_after = (page[-1]["ended_at"], page[-1]["batch_id"]) if len(page) == _BATCH else None
        for row in page:
            # A replay needs a job's row: a batch without them is never opened again.
            if not batches.has_members(self.db, row):
                _remove_batch(self.db, row["batch_id"])

    def remove_letters(self) -> None:
        """Resolved dead letters whose copy is gone from `.XQ`, after a longer time; a page at each call."""
        swept = "(swept_at IS NOT NULL OR published_at IS NULL)" if self.letters_are_swept else "1=1"
        for status in ("replayed", "discarded"):
            further, params = beyond(self._letters_after.get(status), "resolved_at", "dead_letter_id")
            rows = self.db.fetch_all(
                f"SELECT dead_letter_id, resolved_at, CASE WHEN {swept} THEN 1 ELSE 0 END AS swept "
                f"FROM dead_letters{self.db.by('idx_dead_resolved')} "
                f"WHERE status=%s AND resolved_at <= {self.db.later(-self.keep_letters)}{further} "
                "ORDER BY resolved_at, dead_letter_id LIMIT %s",
                (status, *params, _LETTERS),
            )
            # Those that had to stay are looked at again after the last page.
            last = (rows[-1]["resolved_at"], rows[-1]["dead_letter_id"]) if len(rows) == _LETTERS else None
            self._letters_after[status] = last
            ids = [row["dead_letter_id"] for row in rows if row["swept"]]
            if ids:
                self.db.execute(
                    f"DELETE FROM dead_letters WHERE dead_letter_id IN ({marks(ids)}) AND status<>'open'", ids
                )


class _Ended(KnownJob):
    round: int


class _Owed(TypedDict):
    job_id: JobId
    round: int
    status: DeliveryStatus
    recorded_at: Moment | None


@transactional
def _clean(db: Database, keep: float, ids: Sequence[str]) -> int:
    """Remove the jobs among these that owe nothing to anybody; returns how many."""
    jobs = db.fetch_all(
        "SELECT job_id, round, status, idempotency_key, fingerprint FROM pdf_job_results "
        f"WHERE job_id IN ({marks(ids)}) AND status IN {_ENDED} "
        f"AND ended_at <= {db.later(-keep)} ORDER BY job_id{db.lock()}",
        ids,
        of=_Ended,
    )
    rounds = {row["job_id"]: row["round"] for row in jobs}
    if not rounds:
        return 0
    deliveries = db.fetch_all(
        f"SELECT delivery_id, job_id, round, status, recorded_at FROM deliveries WHERE job_id IN ({marks(rounds)})"
        f"{db.lock()}",
        list(rounds),
        of=_Owed,
    )
    free = sorted(_settled(rounds, deliveries) - _unanswered(db, list(rounds)))
    used_keys.keep(db, [job for job in jobs if job["job_id"] in free])
    remove(db, free)
    return len(free)


@transactional
def _remove_batch(db: Database, batch_id: str) -> None:
    told = db.column(f"SELECT status FROM deliveries WHERE job_id=%s{db.lock()}", (batch_id,))
    if not _unanswered(db, [batch_id]) and not any(status in OPEN for status in told):
        _remove_deliveries(db, [batch_id])
        db.execute("DELETE FROM batches WHERE batch_id=%s", (batch_id,))


def _unanswered(db: Database, ids: Sequence[str]) -> set[JobId]:
    """Which of these jobs have an open dead letter."""
    return set(db.column(f"SELECT job_id FROM dead_letters WHERE job_id IN ({marks(ids)}) AND status='open'", ids))


def _settled(rounds: Mapping[JobId, int], deliveries: Sequence[_Owed]) -> set[JobId]:
    """The jobs whose last round is recorded for good, or given up, and whose callbacks have all ended.

    A delivery that was given up without a record has a dead letter: its job stays until that letter is closed.
    """
    recorded = {
        row["job_id"]
        for row in deliveries
        if row["round"] == rounds[row["job_id"]] and (row["recorded_at"] is not None or row["status"] == "dead")
    }
    return recorded - {row["job_id"] for row in deliveries if row["status"] in OPEN}


def candidates_query(db: Database, keep: float, after: Place | None) -> tuple[str, tuple[object, ...]]:
    """The next batch of jobs that ended long enough ago: answered by idx_jobs_ended alone, whatever the table's size."""
    further, params = beyond(after, "ended_at", "job_id")
    sql = (
        f"SELECT job_id, ended_at FROM pdf_job_results WHERE ended_at <= {db.later(-keep)}{further} "
        "ORDER BY ended_at, job_id LIMIT %s"
    )
    return sql, (*params, _BATCH)


@transactional
def remove(db: Database, ids: Sequence[str]) -> None:
    """Delete jobs with all that hangs on them but dead letters, by primary keys."""
    if not ids:
        return
    _remove_deliveries(db, ids)
    for table in ("report_data", "rendered", "attempts", "pdf_job_results"):
        db.execute(f"DELETE FROM {table} WHERE job_id IN ({marks(ids)})", ids)


def _remove_deliveries(db: Database, ids: Sequence[str]) -> None:
    deliveries = db.column(f"SELECT delivery_id FROM deliveries WHERE job_id IN ({marks(ids)})", ids)
    if deliveries:
        db.execute(f"DELETE FROM delivery_attempts WHERE delivery_id IN ({marks(deliveries)})", deliveries)
        db.execute(f"DELETE FROM deliveries WHERE delivery_id IN ({marks(deliveries)})", deliveries)
