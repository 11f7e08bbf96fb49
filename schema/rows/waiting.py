"""The line of jobs that wait: in the order of their turn, then of their submission (DESIGN §2.8).

Callers ask how long it is, where a job stands in it, and who waited too long; promotion moves jobs forward in it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from schema.rows.columns import JobId, JobRow, Seconds
from schema.rows.outbox import Outbox
from schema.sql.database import Database, marks
from schema.sql.times import Moment, as_column


class TurnLine(TypedDict):
    """The jobs of one turn that wait."""

    turn: int
    n: int
    first: Moment  # when the oldest was submitted
    last: Moment


class Overdue(TypedDict):
    """A job that waited too long."""

    job_id: JobId
    turn: int
    requested_at: Moment
    age: Seconds  # since `requested_at`


def count(db: Database) -> int:
    """How many jobs wait."""
    return db.count("SELECT COUNT(*) FROM pdf_job_results WHERE status='queued'")


def ahead_of(db: Database, job: JobRow) -> int:
    """How many jobs wait before this one; each of them is counted, so ask it of a short line only."""
    turn, moment = job["turn"], job["requested_at"]
    before = db.count("SELECT COUNT(*) FROM pdf_job_results WHERE status='queued' AND turn < %s", (turn,))
    return before + db.count(
        "SELECT COUNT(*) FROM pdf_job_results WHERE status='queued' AND turn = %s AND (requested_at < %s "
        "OR (requested_at = %s AND job_id < %s))",
        (turn, moment, moment, job["job_id"]),
    )


def by_turn(db: Database) -> list[TurnLine]:
    """The line of each turn."""
    return db.fetch_all(
        "SELECT turn, COUNT(*) AS n, MIN(requested_at) AS first, MAX(requested_at) AS last FROM pdf_job_results "
        "WHERE status='queued' GROUP BY turn",
        of=TurnLine,
    )


def slices(db: Database, turn: int, first: datetime, width: float) -> list[tuple[int, int]]:
    """How many jobs of a turn were submitted in each slice of `width` seconds from `first` on: (slice, count), in order."""
    unit: float
    if db.dialect == "mysql":
        place, unit = "TIMESTAMPDIFF(MICROSECOND,%s,requested_at) DIV %s", max(1, round(width * 1e6))
    else:
        place, unit = "CAST((julianday(requested_at)-julianday(%s))*86400.0/%s AS INTEGER)", width
    counts = db.tally(
        f"SELECT {place} AS slice, COUNT(*) AS n FROM pdf_job_results WHERE status='queued' AND turn=%s "
        "GROUP BY 1 ORDER BY 1",
        (as_column(first), unit, turn),
    )
    return [(int(place), count) for place, count in counts.items()]


# -- promotion ----------------------------------------------------------------------------------------------------


def overdue(db: Database, turn: int, seconds: float, limit: int) -> list[Overdue]:
    """The oldest jobs of one turn that have waited for `seconds`. One query a turn, so that the index gives the order."""
    return db.fetch_all(
        f"SELECT job_id, turn, requested_at, {db.age('requested_at')} AS age FROM pdf_job_results "
        f"WHERE status='queued' AND turn=%s AND requested_at <= {db.later(-seconds)} "
        "ORDER BY requested_at, job_id LIMIT %s",
        (turn, limit),
        of=Overdue,
    )


def at_top(db: Database) -> tuple[int, int]:
    """How many jobs wait at turn 0: those that were submitted as high, and those that promotion raised there."""
    counts = db.tally(
        "SELECT CASE WHEN priority<9 THEN 1 ELSE 0 END AS raised, COUNT(*) AS n FROM pdf_job_results "
        "WHERE status='queued' AND turn=0 GROUP BY 1"
    )
    return counts.get(0, 0), counts.get(1, 0)


def move(db: Database, ids: Sequence[JobId], *, before: int, turn: int) -> bool:
    """Move those of these jobs that still wait at the turn `before`, in one commit; False when none did.

    A job that was published is published again.
    """
    return db.matched(
        f"UPDATE pdf_job_results SET turn=%s, {Outbox.BACK} WHERE job_id IN ({marks(ids)}) AND status='queued' AND turn=%s",
        (turn, *sorted(ids), before),
    )


def long_published(db: Database, turn: int, seconds: float, limit: int) -> list[JobId]:
    """Jobs up to this turn whose message has been in the broker for `seconds`, the oldest message first."""
    return db.column(
        "SELECT job_id FROM pdf_job_results WHERE status='queued' AND turn <= %s "
        f"AND published_at <= {db.later(-seconds)} ORDER BY published_at LIMIT %s",
        (turn, limit),
    )
