"""Erases a person on request: every row, record, PDF and dead letter of a report's code (`ops/reportq erase`).

Waiting jobs are cancelled first. Jobs at work are waited for, so that no worker writes anything afterwards. Then the PDFs
go, then the rows that name them, then the permanent records. An interrupted erasure is repeated whole, and a pass that
found anything is followed by another.

The audit keeps that an erasure happened, by whom and how much, under a hash of the code. The source document belongs to
others: only our mark in it is removed. Copies in backups and at receivers are out of our reach.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from schema.environment.fitting import fit
from schema.errors import ReportqError
from schema.life import retention, rounds
from schema.ports import Artifacts, Documents
from schema.rows import audit, links, used_keys
from schema.rows.states import IS_OPEN
from schema.sql.database import Database, marks

_BATCH = 100
_PASSES = 10  # Passes over everything. A person who submits without end must be stopped first.
_ENDED = "status IN ('completed','failed','cancelled')"


class StillAtWork(ReportqError):
    """Not all is erased: a worker is still busy with one of the person's jobs, or new jobs keep coming."""

    code = "still_at_work"


@dataclass(slots=True)
class Erased:
    """How much was removed."""

    jobs: int = 0
    pdfs: int = 0
    records: int = 0
    dead_letters: int = 0


def preview(db: Database, documents: Documents, code: str, product_id: str | None = None) -> Erased:
    """Count what an erasure would remove."""
    where, params = _where(code, product_id)
    ends = documents.ends_of(code, product_id)
    ids = {row["artifact_id"] for row in db.fetch_all(f"SELECT artifact_id FROM pdf_job_results WHERE {where}", params)}
    return Erased(
        jobs=_count(db, "pdf_job_results", code, product_id),
        pdfs=len((ids | {end.artifact_id for end in ends}) - {None}),
        records=len(ends),
        dead_letters=_count(db, "dead_letters", code, product_id),
    )


def erase(
    db: Database,
    documents: Documents,
    artifacts: Artifacts,
    code: str,
    product_id: str | None = None,
    *,
    by: str,
    why: str | None = None,
    patience: float = 120.0,
    pause: Callable[[float], object] = time.sleep,
) -> Erased:
    """Remove everything of a code (and product); raises StillAtWork after `patience` seconds, or a store's outage."""
    erased = Erased()
    pdfs: set[str] = set()

    def delete(artifact_id: str | None) -> None:
        if artifact_id is not None:
            artifacts.delete(artifact_id)
            pdfs.add(artifact_id)

    # A job that comes in meanwhile is removed by the next pass. The last pass has found nothing.
    for _ in range(_PASSES):
        _settle(db, code, product_id, patience, pause)
        jobs = _remove_rows(db, code, product_id, delete)
        ends = documents.ends_of(code, product_id)
        for end in ends:
            delete(end.artifact_id)
        for start in range(0, len(ends), _BATCH):
            _forget(db, [end.job_id for end in ends[start : start + _BATCH]])
        erased.jobs += jobs
        erased.records += documents.forget(code, product_id)
        if not jobs and not ends and not _count(db, "pdf_job_results", code, product_id):
            break
    else:
        raise StillAtWork("Jobs of this code keep coming in; not all is erased. Stop who submits them, and try again.")
    erased.pdfs = len(pdfs)

    def letters_and_audit() -> None:
        erased.dead_letters = _scrub_letters(db, code, product_id, by)
        _scrub_audit(db, code)
        told = ", ".join(f"{n} {name}" for name, n in asdict(erased).items())
        audit.note(db, by, "erase", audit.subject_of(code), f"{told}. {why or ''}".strip())

    db.transaction(letters_and_audit)
    return erased


def _settle(db: Database, code: str, product_id: str | None, patience: float, pause: Callable[[float], object]) -> None:
    """Cancel waiting jobs, and wait for the jobs and callbacks at work."""
    where, params = _where(code, product_id)
    until = time.monotonic() + patience
    while True:
        going_on = db.fetch_all(f"SELECT job_id FROM pdf_job_results WHERE {where} AND {IS_OPEN}", params)
        for row in going_on:
            rounds.cancel(db, row["job_id"])
        posting = db.scalar(
            "SELECT COUNT(*) FROM deliveries d JOIN pdf_job_results j ON j.job_id=d.job_id "
            f"WHERE {_where(code, product_id, 'j.')[0]} AND d.status='processing'",
            params,
        )
        if not posting and not going_on:
            return
        if time.monotonic() > until:
            raise StillAtWork("A worker is still at one of these jobs; not all is erased. Try again in a minute.")
        pause(0.2)


def _remove_rows(db: Database, code: str, product_id: str | None, delete: Callable[[str | None], None]) -> int:
    """Delete the PDFs and rows of ended jobs, checked again under a lock; returns how many.

    A job that a worker has taken up meanwhile stays: the next pass also removes what that worker still writes.
    """
    where, params = _where(code, product_id, "j.")
    rows = db.fetch_all(
        f"SELECT job_id, artifact_id FROM pdf_job_results j WHERE {where} AND {_ENDED} AND NOT EXISTS (SELECT 1 "
        "FROM deliveries d WHERE d.job_id=j.job_id AND d.status='processing') ORDER BY job_id",
        params,
    )
    removed = 0
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        for row in batch:
            delete(row["artifact_id"])
        removed += _remove_free(db, [row["job_id"] for row in batch])
    return removed


def _remove_free(db: Database, ids: list[str]) -> int:
    """Delete those of these jobs that no worker is busy with; returns how many."""

    def work() -> int:
        ended = db.fetch_all(
            f"SELECT job_id FROM pdf_job_results WHERE job_id IN ({marks(ids)}) AND {_ENDED} ORDER BY job_id{db.lock()}",
            ids,
        )
        owed = db.fetch_all(f"SELECT job_id, status FROM deliveries WHERE job_id IN ({marks(ids)}){db.lock()}", ids)
        posting = {row["job_id"] for row in owed if row["status"] == "processing"}
        free = [row["job_id"] for row in ended if row["job_id"] not in posting]
        retention.remove(db, free)
        _forget(db, free)
        return len(free)

    return db.transaction(work)


def _forget(db: Database, job_ids: list[str]) -> None:
    """Remove what outlives a job's row: links to its PDF, and its idempotency key."""
    links.forget(db, job_ids)
    used_keys.forget(db, job_ids)


def _scrub_audit(db: Database, code: str) -> None:
    """Replace the code by its hash where older bulk replays and discards were noted with it."""
    named = re.compile(rf"(^| )code={re.escape(code)}(?= |$)")
    for act in db.fetch_all("SELECT id, subject FROM audit WHERE act IN ('bulk_replay','bulk_discard')"):
        scrubbed = named.sub(lambda found: found[1] + audit.subject_of(code), act["subject"])
        if scrubbed != act["subject"]:
            db.execute("UPDATE audit SET subject=%s WHERE id=%s", (fit(scrubbed, 255), act["id"]))


def _scrub_letters(db: Database, code: str, product_id: str | None, by: str) -> int:
    """Delete the letters. One that has, or soon has, a copy in `.XQ` stays as an empty shell.

    It goes when the leader has removed that copy: a copy without a row would be put back for ever.
    """
    where, params = _where(code, product_id)
    shells = db.execute(
        f"UPDATE dead_letters SET status=CASE WHEN status='open' THEN 'discarded' ELSE status END, "
        f"resolved_at=COALESCE(resolved_at, {db.now()}), resolved_by=COALESCE(resolved_by, %s), "
        "error_message='(erased)', traceback=NULL, raw=NULL, code=NULL, product_id=NULL "
        f"WHERE {where} AND (published_at IS NOT NULL OR relay_token IS NOT NULL) AND swept_at IS NULL",
        (fit(by, 128), *params),
    )
    return shells + db.execute(f"DELETE FROM dead_letters WHERE {where}", params)


def _count(db: Database, table: str, code: str, product_id: str | None) -> int:
    where, params = _where(code, product_id)
    return int(db.scalar(f"SELECT COUNT(*) FROM {table} WHERE {where}", params))


def _where(code: str, product_id: str | None, table: str = "") -> tuple[str, tuple[str, ...]]:
    if product_id is None:
        return f"{table}code=%s", (code,)
    return f"{table}code=%s AND {table}product_id=%s", (code, product_id)
