"""Erases a person on request: every row, record, PDF and dead letter of a report's code (`ops/reportq erase`).

Waiting jobs are cancelled first. Jobs at work are waited for, so that no worker writes anything afterwards. Then the PDFs
go, then the rows that name them, then the permanent records. An interrupted erasure is repeated whole, and a pass that
found anything is followed by another.

The audit keeps that an erasure happened, by whom and how much, under a hash of the code. The source document belongs to
others: only our mark in it is removed. Copies in backups and at receivers are out of our reach.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from schema.errors import ReportqError
from schema.life import retention, rounds
from schema.ports import Artifacts, Documents
from schema.rows import audit, links, person, used_keys
from schema.rows.columns import JobId
from schema.sql.database import Database

_BATCH = 100
_PASSES = 10  # Passes over everything. A person who submits without end must be stopped first.


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
    whose = person.Person(code, product_id)
    ends = documents.ends_of(code, product_id)
    return Erased(
        jobs=person.count(db, whose),
        pdfs=len(person.artifacts(db, whose) | {end.artifact_id for end in ends if end.artifact_id is not None}),
        records=len(ends),
        dead_letters=person.count(db, whose, "dead_letters"),
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
    whose = person.Person(code, product_id)
    erased = Erased()
    pdfs: set[str] = set()

    def delete(artifact_id: str | None) -> None:
        if artifact_id is not None:
            artifacts.delete(artifact_id)
            pdfs.add(artifact_id)

    # A job that comes in meanwhile is removed by the next pass. The last pass has found nothing.
    for _ in range(_PASSES):
        _settle(db, whose, patience, pause)
        jobs = _remove_rows(db, whose, delete)
        ends = documents.ends_of(code, product_id)
        for end in ends:
            delete(end.artifact_id)
        for start in range(0, len(ends), _BATCH):
            _forget(db, [JobId(end.job_id) for end in ends[start : start + _BATCH]])
        erased.jobs += jobs
        erased.records += documents.forget(code, product_id)
        if not jobs and not ends and not person.count(db, whose):
            break
    else:
        raise StillAtWork("Jobs of this code keep coming in; not all is erased. Stop who submits them, and try again.")
    erased.pdfs = len(pdfs)

    def letters_and_audit() -> None:
        erased.dead_letters = person.erase_letters(db, whose, by)
        person.erase_from_audit(db, code)
        told = ", ".join(f"{n} {name}" for name, n in asdict(erased).items())
        audit.note(db, by, "erase", audit.subject_of(code), f"{told}. {why or ''}".strip())

    db.transaction(letters_and_audit)
    return erased


def _settle(db: Database, whose: person.Person, patience: float, pause: Callable[[float], object]) -> None:
    """Cancel waiting jobs, and wait for the jobs and callbacks at work."""
    until = time.monotonic() + patience
    while True:
        going_on = person.open_jobs(db, whose)
        for job_id in going_on:
            rounds.cancel(db, job_id)
        if not person.is_posted(db, whose) and not going_on:
            return
        if time.monotonic() > until:
            raise StillAtWork("A worker is still at one of these jobs; not all is erased. Try again in a minute.")
        pause(0.2)


def _remove_rows(db: Database, whose: person.Person, delete: Callable[[str | None], None]) -> int:
    """Delete the PDFs and rows of ended jobs, checked again under a lock; returns how many.

    A job that a worker has taken up meanwhile stays: the next pass also removes what that worker still writes.
    """
    rows = person.ended(db, whose)
    removed = 0
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        for _, artifact_id in batch:
            delete(artifact_id)
        removed += _remove_free(db, [job_id for job_id, _ in batch])
    return removed


def _remove_free(db: Database, ids: list[JobId]) -> int:
    """Delete those of these jobs that no worker is busy with; returns how many."""

    def work() -> int:
        free = person.still_ended(db, ids)
        retention.remove(db, free)
        _forget(db, free)
        return len(free)

    return db.transaction(work)


def _forget(db: Database, job_ids: Sequence[JobId]) -> None:
    """Remove what outlives a job's row: links to its PDF, and its idempotency key."""
    links.forget(db, job_ids)
    used_keys.forget(db, job_ids)
