"""Previews: jobs that leave nothing (DESIGN §2.16). A worker keeps the PDF in its row; the waiting request takes it.

A preview is claimed, leased, retried, rescued and ended as every job is. It has no delivery, no record and no dead letter.
"""

from schema.life import retention, rounds
from schema.rows import jobs, rendered
from schema.rows.columns import OPEN, JobRow
from schema.rows.jobs import Claim
from schema.sql.database import Database, transactional


@transactional
def finish(db: Database, held: Claim, pdf: bytes) -> bool:
    """End the round and keep the PDF, in one commit; False when the row has moved on since: then nothing was written."""
    won = rounds.finish(db, held.row, "completed", outcome="completed", saved=False)
    if won:
        rendered.keep(db, held, pdf)
    return won


@transactional
def take(db: Database, job_id: str) -> tuple[JobRow | None, bytes | None]:
    """A preview's state and PDF. An ended one is removed. Any other is cancelled, because nobody waits any more."""
    rounds.cancel(db, job_id)
    row = jobs.find(db, job_id, db.lock())
    pdf = db.scalar("SELECT pdf FROM rendered WHERE job_id=%s", (job_id,))
    if row is not None and row["status"] not in OPEN:
        retention.remove(db, [job_id])
    return row, None if pdf is None else bytes(pdf)
