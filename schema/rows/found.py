"""A code's jobs, those that have rows and those that only the permanent record knows, in one list, newest first.

Both are read down to the same job, and pages follow the job_id. So no reader sees a job twice or misses one, although
retention moves jobs from the rows to the record meanwhile. Where both know a job, its row counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from schema.ports import Documents, End
from schema.rows import listing
from schema.sql.database import Database, marks


def page(db: Database, documents: Documents, query: listing.Wanted) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    """The jobs of one page, each with the columns of ListedJob, and the next page's cursor.

    A recorded job has no priority. The record is asked only when a code is given. Raises what the record's store raises.
    """
    rows, more = listing.page(db, query)
    floor = rows[-1]["job_id"] if more else ""  # down to here everything is known
    if query.code is None:
        return rows, listing.cursor_after(floor) if more else None
    ends = documents.find_ends(
        query.code,
        product_id=query.product_id,
        status=query.status,
        since=listing.first_id(query.since) if query.since else "",
        before=listing.after_cursor(query.cursor) if query.cursor else None,
        limit=query.limit + 1,
    )
    if len(ends) > query.limit:
        del ends[query.limit :]
        floor = max(floor, ends[-1].job_id)
    # Asked last: the record of a job must not appear when its row was left out because it is in another state.
    ids = [end.job_id for end in ends]
    alive = set(db.column(f"SELECT job_id FROM pdf_job_results WHERE job_id IN ({marks(ids)})", ids)) if ids else set()
    found: dict[str, Mapping[str, Any]] = {end.job_id: _listed(end) for end in ends if end.job_id not in alive}
    found |= {row["job_id"]: row for row in rows}
    known = [found[job_id] for job_id in sorted(found, reverse=True) if job_id >= floor]
    shown = known[: query.limit]
    last = shown[-1]["job_id"] if len(known) > query.limit else floor
    return shown, listing.cursor_after(last) if last else None


def _listed(end: End) -> dict[str, Any]:
    progress = 100 if end.status == "completed" else 0
    return asdict(end) | {"priority": None, "progress": progress, "created_at": end.requested_at}
