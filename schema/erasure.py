"""Erases a person on request: every row, record, PDF and dead letter of a report's code (`ops/reportq erase`).

Waiting jobs are cancelled first; what a worker is at is waited for, so that nothing is written again afterwards. Then
the PDFs go, then the rows that know of them, then the permanent records: whatever is interrupted is repeated whole.
The audit keeps that an erasure happened, by whom and how much, under a hash of the code. The source document belongs
to others: only our mark in it is removed. Copies in a backup and in a receiver's hands are not ours to reach.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from schema import audit, retention, rounds
from schema.database import Database
from schema.errors import ReportqError
from schema.ports import Artifacts, Documents

_BATCH = 100


class StillAtWork(ReportqError):
    """A worker is at one of the person's jobs and did not end in time; nothing was erased yet."""

    code = "still_at_work"


@dataclass(slots=True)
class Erased:
    """How much went."""

    jobs: int = 0
    pdfs: int = 0
    records: int = 0
    dead_letters: int = 0


def preview(db: Database, documents: Documents, code: str, product_id: str | None = None) -> Erased:
    """What an erasure would remove."""
    where, params = _where(code, product_id)
    ends = documents.ends_of(code, product_id)
    ids = {row["artifact_id"] for row in db.fetch_all(f"SELECT artifact_id FROM pdf_job_results WHERE {where}", params)}
    return Erased(
        jobs=int(db.scalar(f"SELECT COUNT(*) FROM pdf_job_results WHERE {where}", params)),
        pdfs=len((ids | {end.artifact_id for end in ends}) - {None}),
        records=len(ends),
        dead_letters=int(db.scalar(f"SELECT COUNT(*) FROM dead_letters WHERE {where}", params)),
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
    _settle(db, code, product_id, patience, pause)
    ends = documents.ends_of(code, product_id)
    where, params = _where(code, product_id)
    while True:
        rows = db.fetch_all(
            f"SELECT job_id, artifact_id FROM pdf_job_results WHERE {where} ORDER BY job_id LIMIT {_BATCH}", params
        )
        if not rows:
            break
        for artifact_id in filter(None, (row["artifact_id"] for row in rows)):
            artifacts.delete(artifact_id)
            erased.pdfs += 1
        ids = [row["job_id"] for row in rows]
        db.transaction(lambda ids=ids: retention.remove(db, ids))  # type: ignore[misc]
        erased.jobs += len(ids)
    for end in ends:
        if end.artifact_id is not None:
            artifacts.delete(end.artifact_id)
    erased.pdfs = max(erased.pdfs, len({end.artifact_id for end in ends} - {None}))
    erased.records = documents.forget(code, product_id)

    def letters_and_audit() -> None:
        erased.dead_letters = _scrub_letters(db, code, product_id, by)
        told = ", ".join(f"{n} {name}" for name, n in asdict(erased).items())
        audit.note(db, by, "erase", subject_of(code), f"{told}. {why or ''}".strip())

    db.transaction(letters_and_audit)
    return erased


def subject_of(code: str) -> str:
    """How the audit names whom it must not name."""
    return f"code sha256:{hashlib.sha256(code.encode()).hexdigest()[:16]}"


def _settle(db: Database, code: str, product_id: str | None, patience: float, pause: Callable[[float], object]) -> None:
    """Cancel what waits and wait for what is worked on, callbacks included."""
    where, params = _where(code, product_id)
    until = time.monotonic() + patience
    while True:
        going_on = db.fetch_all(
            f"SELECT job_id FROM pdf_job_results WHERE {where} AND status IN ('queued','processing')", params
        )
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
            raise StillAtWork("A worker is still at one of these jobs; nothing was erased. Try again in a minute.")
        pause(0.2)


def _scrub_letters(db: Database, code: str, product_id: str | None, by: str) -> int:
    """Letters go; one whose copy lies in `.XQ` stays as an empty shell until the leader has taken the copy out."""
    where, params = _where(code, product_id)
    shells = db.execute(
        f"UPDATE dead_letters SET status=CASE WHEN status='open' THEN 'discarded' ELSE status END, "
        f"resolved_at=COALESCE(resolved_at, {db.now()}), resolved_by=COALESCE(resolved_by, %s), "
        "error_message='(erased)', traceback=NULL, raw=NULL, code=NULL, product_id=NULL "
        f"WHERE {where} AND published_at IS NOT NULL AND swept_at IS NULL",
        (by[:128], *params),
    )
    return shells + db.execute(f"DELETE FROM dead_letters WHERE {where}", params)


def _where(code: str, product_id: str | None, table: str = "") -> tuple[str, tuple[str, ...]]:
    if product_id is None:
        return f"{table}code=%s", (code,)
    return f"{table}code=%s AND {table}product_id=%s", (code, product_id)
