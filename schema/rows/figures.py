"""How many jobs and callbacks there are of each kind, for people who look: the overview, `reportq status`."""

from collections.abc import Iterator
from datetime import datetime

from schema.rows.columns import IS_OPEN, Open
from schema.rows.jobs import REPORTS
from schema.sql.database import Database
from schema.sql.times import as_column, as_time

Figure = tuple[int, float]  # how many; seconds since the oldest of them was asked for, or is owed


def jobs_by_status(db: Database) -> dict[str, int]:
    """Status → how many jobs."""
    return db.tally("SELECT status, COUNT(*) AS n FROM pdf_job_results GROUP BY status")


def open_jobs(db: Database) -> dict[tuple[int, Open], Figure]:
    """Priority and state → the jobs that have not ended."""
    rows = db.fetch_all(
        f"SELECT status, priority, COUNT(*) AS n, {db.age('MIN(requested_at)')} AS age FROM pdf_job_results "
        f"WHERE {IS_OPEN} GROUP BY status, priority"
    )
    return {(row["priority"], row["status"]): (int(row["n"]), float(row["age"])) for row in rows}


def open_callbacks(db: Database) -> dict[Open, Figure]:
    """State → the callbacks that have not ended."""
    rows = db.fetch_all(
        f"SELECT status, COUNT(*) AS n, {db.age('MIN(owed_at)')} AS age FROM deliveries WHERE {IS_OPEN} GROUP BY status"
    )
    return {row["status"]: (int(row["n"]), float(row["age"])) for row in rows}


def callbacks_not_sent(db: Database) -> int:
    """How many callbacks were not sent, because an earlier round had used their resume URL up."""
    return db.count("SELECT COUNT(*) FROM deliveries WHERE status='not_sent'")


def by_minute(db: Database, start: datetime) -> Iterator[tuple[datetime, str, int]]:
    """From `start` on: minute, what became of reports in it ("submitted", or how they ended), how many."""
    for column, what in (("created_at", "'submitted'"), ("ended_at", "status")):
        for row in db.fetch_all(
            f"SELECT SUBSTR({column},1,16) AS minute, {what} AS what, COUNT(*) AS n FROM pdf_job_results "
            f"WHERE {column} >= %s AND {REPORTS} GROUP BY 1, 2",
            (as_column(start),),
        ):
            yield as_time(row["minute"]), row["what"], int(row["n"])
