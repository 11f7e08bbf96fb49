"""Lists of jobs, newest first, a page at a time.

Pages follow the job_id, which begins with the time of submission and never changes: a replay or a finished job moves
nothing, so that nobody sees a job twice or misses one. A page costs the same wherever it stands.
"""

from __future__ import annotations

from schema.queries import ListQuery, after_cursor, first_id
from schema.sql.database import Database, Row

_COLUMNS = (
    "job_id, code, product_id, status, priority, round, progress, created_at, requested_at, ended_at, retry_count, "
    "google_drive_link, error_code"
)

# filter → the index that holds its pages in order (each ends with the job_id). MariaDB must be told: of a value that half
# of the table has it guesses no better than "half", and then reads all of it from the newest job to the page.
_INDEXES = {"status": "idx_status", "product_id": "idx_jobs_product"}


def page(db: Database, query: ListQuery) -> tuple[list[Row], bool]:
    """The rows of one page, and whether more follow."""
    conditions, params = ["1=1"], []
    for column in ("status", "code", "product_id"):
        value = getattr(query, column)
        if value is not None:
            conditions.append(f"{column}=%s")
            params.append(value)
    if query.since is not None:
        conditions.append("job_id >= %s")
        params.append(first_id(query.since))
    if query.cursor is not None:
        conditions.append("job_id < %s")
        params.append(str(after_cursor(query.cursor)))
    rows = db.fetch_all(
        f"SELECT {_COLUMNS} FROM pdf_job_results{_told(db, query)} WHERE {' AND '.join(conditions)} "
        "ORDER BY job_id DESC LIMIT %s",
        (*params, query.limit + 1),
    )
    return rows[: query.limit], len(rows) > query.limit


def _told(db: Database, query: ListQuery) -> str:
    """The index hint of a query; a code's few jobs need none, and SQLite knows no such hint."""
    if db.dialect != "mysql" or query.code is not None:
        return ""
    usable = [index for column, index in _INDEXES.items() if getattr(query, column) is not None]
    return f" FORCE INDEX ({', '.join(usable)})" if usable else ""
