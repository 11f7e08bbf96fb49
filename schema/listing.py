"""Lists of jobs, newest first, a page at a time.

Pages follow the job_id, which begins with the time of submission and never changes: a replay or a finished job moves
nothing, so that nobody sees a job twice or misses one. A page costs the same wherever it stands.
"""

from __future__ import annotations

from schema.database import Database, Row
from schema.queries import ListQuery, after_cursor, first_id

_COLUMNS = (
    "job_id, code, product_id, status, priority, round, progress, created_at, ended_at, retry_count, google_drive_link, "
    "error_code"
)


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
        f"SELECT {_COLUMNS} FROM pdf_job_results WHERE {' AND '.join(conditions)} ORDER BY job_id DESC LIMIT %s",
        (*params, query.limit + 1),
    )
    return rows[: query.limit], len(rows) > query.limit
