"""Idempotency keys of jobs whose rows are gone: a request that comes again a day later makes no second job.

Retention writes a key here in the transaction that deletes the job's row. So at every moment a used key stands in the
job's row or here, and never in neither.
"""

from collections.abc import Sequence

from schema.rows.columns import JobId, KnownJob, UsedKey
from schema.sql.database import Database, marks

KEPT = 86_400.0  # Seconds that a key outlives its row.
_BATCH = 500


def keep(db: Database, gone: Sequence[KnownJob]) -> None:
    """Keep the keys of these jobs, inside the transaction that deletes their rows; a job without a key has none to keep."""
    keyed = [job for job in gone if job["idempotency_key"] is not None]
    if keyed:
        one = f"(%s,%s,%s,%s,{db.now()})"
        db.execute(
            f"INSERT {'OR ' if db.dialect == 'sqlite' else ''}IGNORE INTO used_keys "
            f"(idempotency_key, fingerprint, job_id, status, removed_at) VALUES {','.join([one] * len(keyed))}",
            [job[name] for job in keyed for name in ("idempotency_key", "fingerprint", "job_id", "status")],
        )


def find(db: Database, key: str) -> UsedKey | None:
    """The job that this key has made, when its row is gone."""
    return db.fetch_one("SELECT * FROM used_keys WHERE idempotency_key=%s", (key,), of=UsedKey)


def forget(db: Database, job_ids: Sequence[JobId]) -> None:
    """Remove the keys of these jobs: erasing a person."""
    if job_ids:
        db.execute(f"DELETE FROM used_keys WHERE job_id IN ({marks(job_ids)})", job_ids)


def remove_old(db: Database) -> None:
    """Remove a page of the keys that have been kept for long enough."""
    old = db.column(
        f"SELECT idempotency_key FROM used_keys WHERE removed_at <= {db.later(-KEPT)} "
        "ORDER BY removed_at, idempotency_key LIMIT %s",
        (_BATCH,),
    )
    if old:
        db.execute(f"DELETE FROM used_keys WHERE idempotency_key IN ({marks(old)})", old)
