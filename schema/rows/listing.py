"""Lists of jobs, newest first, a page at a time.

Pages follow the job_id, which begins with the time of submission and never changes. So a replay or an end moves no job
to another page: no reader sees a job twice or misses one. A page costs the same wherever it stands.
"""

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Protocol

from ulid import ULID

from schema.rows.columns import JobStatus, ListedJob
from schema.rows.jobs import REPORTS
from schema.sql.database import Database

_COLUMNS = (
    "job_id, code, product_id, status, priority, round, progress, created_at, requested_at, ended_at, retry_count, "
    "google_drive_link, error_code, batch_id"
)

# Filter → the index that holds its pages in order; each ends with the job_id. MariaDB must be told which to use. When half
# of the table has a value, it would read all of these rows, from the newest one to the page.
_INDEXES = {"status": "idx_status", "product_id": "idx_jobs_product"}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_JOB_ID = re.compile(r"pdf_[0-9A-HJKMNP-TV-Z]{26}")


class Wanted(Protocol):
    """What a list is asked for: the query of GET /api/jobs is one. What is given must fit."""

    status: JobStatus | None
    code: str | None
    product_id: str | None
    since: str | None
    cursor: str | None
    limit: int


def page(db: Database, query: Wanted) -> tuple[list[ListedJob], bool]:
    """The rows of one page, and whether more follow."""
    conditions, params = [REPORTS], []
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
        of=ListedJob,
    )
    return rows[: query.limit], len(rows) > query.limit


def _told(db: Database, query: Wanted) -> str:
    """The index hint of a query; a code's few jobs need none, and SQLite knows no such hint."""
    if db.dialect != "mysql" or query.code is not None:
        return ""
    usable = [index for column, index in _INDEXES.items() if getattr(query, column) is not None]
    return f" FORCE INDEX ({', '.join(usable)})" if usable else ""


def cursor_after(job_id: str) -> str:
    """The cursor of the page that follows this job."""
    return base64.urlsafe_b64encode(job_id.encode()).decode().rstrip("=")


def after_cursor(cursor: str) -> str | None:
    """The job that a cursor's page follows; None when it is no cursor."""
    try:
        job_id = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (ValueError, binascii.Error):
        return None
    return job_id if _JOB_ID.fullmatch(job_id) else None


def moment_of(text: str) -> datetime | None:
    """An RFC 3339 moment as aware UTC; None when it is not one."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def first_id(since: str) -> str:
    """The least job_id that can have been given at or after a moment: ids begin with their time."""
    moment = moment_of(since)
    assert moment is not None
    return "pdf_" + str(ULID.from_datetime(max(moment, datetime(1970, 1, 1, tzinfo=UTC))))[:10]
