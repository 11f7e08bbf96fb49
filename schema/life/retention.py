"""Removes ended jobs' rows once their time is over; what is permanent (the record, the PDF) stays (DESIGN §4).

A job stays while anything is owed: a delivery that has not ended, a permanent record that is not written, an open dead
letter. A batch of jobs stays as long, and while a row of its jobs does. Candidates are read off an index alone, a few at
a time. These are locked by primary key and looked at again before they go. So a replay or a submission waits for one
small transaction at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from schema.rows import batches, links, used_keys
from schema.rows.columns import BatchRow, DeliveryStatus, JobId, KnownJob
from schema.rows.jobs import PREVIEW
from schema.rows.states import OPEN
from schema.sql.database import Database, Place, beyond, marks
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
        candidates = self._candidates()
        removed = self._clean(candidates)
        if len(candidates) < _BATCH:
            self._after = None  # the end: those that had to stay are looked at again in the next round
        return removed, len(candidates) == _BATCH

    def _candidates(self) -> list[str]:
        sql, params = candidates_query(self.db, self.keep, self._after)
        rows = self.db.fetch_all(sql, params)
        if rows:
            self._after = (rows[-1]["ended_at"], rows[-1]["job_id"])
        return [row["job_id"] for row in rows]

    def _clean(self, ids: Sequence[str]) -> int:
        if not ids:
            return 0

        def work() -> int:
            jobs = self.db.fetch_all(
                "SELECT job_id, round, status, idempotency_key, fingerprint FROM pdf_job_results "
                f"WHERE job_id IN ({marks(ids)}) AND status IN {_ENDED} "
                f"AND ended_at <= {self.db.later(-self.keep)} ORDER BY job_id{self.db.lock()}",
                ids,
                of=_Ended,
            )
            rounds = {row["job_id"]: row["round"] for row in jobs}
            if not rounds:
                return 0
            deliveries = self.db.fetch_all(
                f"SELECT delivery_id, job_id, round, status, recorded_at FROM deliveries WHERE job_id IN ({marks(rounds)})"
                f"{self.db.lock()}",
                list(rounds),
                of=_Owed,
            )
            free = sorted(_settled(rounds, deliveries) - self._unanswered(list(rounds)))
            used_keys.keep(self.db, [job for job in jobs if job["job_id"] in free])
            remove(self.db, free)
            return len(free)

        return self.db.transaction(work)

    def _unanswered(self, ids: Sequence[str]) -> set[str]:
        """Which of these jobs have an open dead letter."""
        rows = self.db.fetch_all(
            f"SELECT job_id FROM dead_letters WHERE job_id IN ({marks(ids)}) AND status='open'", ids
        )
        return {row["job_id"] for row in rows}

    def remove_others(self) -> None:
        """Keys whose jobs are gone, links that have expired, previews that nobody took; a page at each call."""
        used_keys.remove_old(self.db)
        links.remove_old(self.db)
        rows = self.db.fetch_all(
            f"SELECT job_id FROM pdf_job_results{self.db.by('PRIMARY')} WHERE job_id > %s "
            f"AND ended_at <= {self.db.later(-PREVIEWS)} ORDER BY job_id LIMIT %s",
            (PREVIEW, _BATCH),
        )
        if rows:  # nothing is owed to anybody: they need no second look
            self.db.transaction(lambda: remove(self.db, [row["job_id"] for row in rows]))

    def remove_batches(self) -> None:
        """Batches that ended long enough ago and of whose jobs no row is left; a page at each call."""
        further, params = beyond(self._batches_after, "ended_at", "batch_id")
        page = self.db.fetch_all(
            f"SELECT * FROM batches WHERE ended_at <= {self.db.later(-self.keep)}{further} "
            "ORDER BY ended_at, batch_id LIMIT %s",
            (*params, _BATCH),
            of=BatchRow,
        )
        for row in page:
            # A replay needs a job's row: a batch without them is never opened again.
            if not batches.has_members(self.db, row):
                self.db.transaction(lambda batch_id=row["batch_id"]: self._remove_batch(batch_id))  # type: ignore[misc]
        self._batches_after = (page[-1]["ended_at"], page[-1]["batch_id"]) if len(page) == _BATCH else None

    def _remove_batch(self, batch_id: str) -> None:
        told = self.db.fetch_all(f"SELECT status FROM deliveries WHERE job_id=%s{self.db.lock()}", (batch_id,))
        if not self._unanswered([batch_id]) and not any(row["status"] in OPEN for row in told):
            _remove_deliveries(self.db, [batch_id])
            self.db.execute("DELETE FROM batches WHERE batch_id=%s", (batch_id,))

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
            ids = [row["dead_letter_id"] for row in rows if row["swept"]]
            if ids:
                self.db.execute(
                    f"DELETE FROM dead_letters WHERE dead_letter_id IN ({marks(ids)}) AND status<>'open'", ids
                )
            # Those that had to stay are looked at again after the last page.
            last = (rows[-1]["resolved_at"], rows[-1]["dead_letter_id"]) if len(rows) == _LETTERS else None
            self._letters_after[status] = last


class _Ended(KnownJob):
    round: int


class _Owed(TypedDict):
    job_id: JobId
    round: int
    status: DeliveryStatus
    recorded_at: Moment | None


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


def remove(db: Database, ids: Sequence[str]) -> None:
    """Delete jobs with all that hangs on them but dead letters, inside the caller's transaction, by primary keys."""
    if not ids:
        return
    _remove_deliveries(db, ids)
    for table in ("report_data", "rendered", "attempts", "pdf_job_results"):
        db.execute(f"DELETE FROM {table} WHERE job_id IN ({marks(ids)})", ids)


def _remove_deliveries(db: Database, ids: Sequence[str]) -> None:
    deliveries = [
        row["delivery_id"]
        for row in db.fetch_all(f"SELECT delivery_id FROM deliveries WHERE job_id IN ({marks(ids)})", ids)
    ]
    if deliveries:
        db.execute(f"DELETE FROM delivery_attempts WHERE delivery_id IN ({marks(deliveries)})", deliveries)
        db.execute(f"DELETE FROM deliveries WHERE delivery_id IN ({marks(deliveries)})", deliveries)
