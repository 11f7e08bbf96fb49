"""Kept PDFs: rendered bytes, and the attempts that wait with them for the store (DESIGN §2.2, §2.12).

    loading, rendering ──hand_over──▶ storing, no lease ──claim──▶ storing, leased ──upload point──▶ uploading ──▶ end
                                            ▲                                                           │
                                            └──────────────── put_back: Drive's rate limit ─────────────┘

A kept PDF waits while `store_at` is set. When its attempt fails, the job goes back to the queue and the bytes stay,
with `store_at` NULL. The next attempt of the round hands them over again and renders nothing.
"""

from dataclasses import dataclass
from functools import partial
from typing import TypedDict

from schema.rows import jobs
from schema.rows.columns import JobId, JobRow
from schema.rows.jobs import NEEDED, Claim, ClaimedJob
from schema.settings import Settings
from schema.sql.cached import Cached
from schema.sql.database import Database, transactional

MOST_KEPT = 7_500_000  # Bytes. Escaping in a statement may double them, and servers take 16 MB by default.
HIGH_ONLY = 0.8  # From this part of the bound on the relay admits only high jobs, so workers seldom give jobs back.
_EVERY = 0.5  # Seconds between looks at what waits.
_WAITS = "status='processing' AND stage='storing' AND lease_until IS NULL"


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept PDF that an uploader has taken."""

    claim: Claim
    pdf: bytes
    worked: float  # seconds since its attempt was claimed for rendering


class Waiting(TypedDict):
    """How much of one rank waits for the store."""

    turn: int
    count: int
    bytes: int


def saved(db: Database, held: Claim) -> bytes | None:
    """The bytes an earlier attempt of this round rendered, if they were kept."""
    pdf = db.scalar("SELECT pdf FROM rendered WHERE job_id=%s AND round=%s", (held.job_id, held.round))
    return None if pdf is None else bytes(pdf)


@transactional
def hand_over(db: Database, held: Claim, pdf: bytes | None) -> None:
    """Keep the bytes (None: they are kept already) and let the attempt wait for the store, without a lease.

    Raises Cancelled or LeaseLost when the attempt must stop instead.
    """
    assignments = "stage='storing', progress=80, lease_until=NULL, template_version=%s"
    jobs.guarded(db, held, assignments, (held.row["template_version"],))
    if pdf is None:
        db.defer(f"UPDATE rendered SET store_at={db.now()}, turn=%s WHERE job_id=%s", (held.row["turn"], held.job_id))
        return
    db.defer("DELETE FROM rendered WHERE job_id=%s", (held.job_id,))
    keep(db, held, pdf, db.now())


def keep(db: Database, held: Claim, pdf: bytes, store_at: str = "NULL") -> None:
    """Write the bytes, inside the caller's transaction; `store_at` is SQL. A preview's wait for no store."""
    db.defer(
        "INSERT INTO rendered (job_id, round, turn, bytes, pdf, saved_at, store_at) "
        f"VALUES (%s,%s,%s,%s,%s,{db.now()},{store_at})",
        (held.job_id, held.round, held.row["turn"], len(pdf), pdf),
    )


def next_due(db: Database, limit: int, *, high_only: bool = False) -> list[JobId]:
    """The ids of the kept PDFs that may be stored now, in order of rank."""
    only = " AND turn=0" if high_only else ""
    return db.column(
        f"SELECT job_id FROM rendered{db.by('idx_rendered_waiting')} WHERE store_at <= {db.now()}{only} "
        "ORDER BY turn, saved_at, job_id LIMIT %s",
        (limit,),
    )


@transactional
def claim(db: Database, job_id: JobId, *, worker_id: str, lease: float, timeout: float) -> Kept | None:
    """Take a waiting PDF under a lease; None when another uploader, or a cancellation, was first."""
    row = db.fetch_one(
        f"SELECT {NEEDED}, 1 AS due, {db.age('requested_at')} AS age FROM pdf_job_results "
        f"WHERE job_id=%s AND {_WAITS}{db.lock()}",
        (job_id,),
        of=ClaimedJob,
    )
    if row is None:
        return None
    kept = db.fetch_one(
        f"SELECT r.pdf, {db.age('j.attempt_started_at')} AS worked FROM rendered r "
        "JOIN pdf_job_results j ON j.job_id=r.job_id AND j.round=r.round WHERE r.job_id=%s",
        (job_id,),
    )
    if kept is None:
        return None  # rescue finds the row and gives it back
    db.execute(
        f"UPDATE pdf_job_results SET worker_id=%s, lease_until={db.later(lease)}, deadline_at={db.later(timeout)} "
        "WHERE job_id=%s",
        (worker_id, job_id),
    )
    wait_no_more(db, job_id)
    row["worker_id"] = worker_id
    return Kept(Claim(row), bytes(kept["pdf"]), float(kept["worked"]))


def wait_no_more(db: Database, job_id: JobId) -> None:
    """The bytes stay, but no attempt waits with them for the store; inside the caller's transaction."""
    db.defer("UPDATE rendered SET store_at=NULL WHERE job_id=%s", (job_id,))


def waits(job: JobRow) -> bool:
    """Whether the job waits for the store, and no uploader has it; `_WAITS` says the same in SQL."""
    return job["status"] == "processing" and job["stage"] == "storing" and job["lease_until"] is None


@transactional
def put_back(db: Database, held: Claim) -> None:
    """Let the PDF wait again, due at once: the store takes no more writes just now, and its pace says when. It costs nothing."""
    jobs.guarded(db, held, "stage='storing', lease_until=NULL")
    db.defer(f"UPDATE rendered SET store_at={db.now()} WHERE job_id=%s", (held.job_id,))


def waiting(db: Database) -> list[Waiting]:
    """How many kept PDFs of each rank wait for the store, and their bytes."""
    return db.fetch_all(
        "SELECT turn, COUNT(*) AS count, SUM(bytes) AS bytes FROM rendered WHERE store_at IS NOT NULL GROUP BY turn",
        of=Waiting,
    )


def total(kept: list[Waiting]) -> int:
    """How many these are, of all ranks."""
    return sum(int(row["count"]) for row in kept)


def ahead_of(db: Database, job: JobRow) -> int:
    """How many kept PDFs are stored before this job's, which waits."""
    own = db.fetch_one("SELECT turn, saved_at FROM rendered WHERE job_id=%s", (job["job_id"],))
    if own is None:
        return 0
    return db.count(
        "SELECT COUNT(*) FROM rendered WHERE store_at IS NOT NULL AND (turn < %s OR (turn = %s AND saved_at < %s))",
        (own["turn"], own["turn"], own["saved_at"]),
    )


def orphans(db: Database, limit: int = 100) -> list[JobRow]:
    """Jobs that wait for the store although no kept PDF waits for them: somebody has removed it."""
    return db.fetch_all(
        f"SELECT * FROM pdf_job_results j WHERE {_WAITS} AND (SELECT r.store_at FROM rendered r "
        "WHERE r.job_id=j.job_id AND r.round=j.round) IS NULL LIMIT %s",
        (limit,),
        of=JobRow,
    )


def used(kept: list[Waiting], settings: Settings) -> float:
    """The part of the bound on kept PDFs, by number or by bytes, that these fill."""
    size = sum(int(row["bytes"]) for row in kept)
    return max(total(kept) / settings.keep_rendered, size / (settings.keep_rendered_mb * 2**20))


class StoreBacklog:
    """The bound on what waits for the store: without it rendering runs away from a slow store."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._settings = settings
        self._seen = Cached(partial(waiting, db), _EVERY, stale=5 * _EVERY)

    def full(self) -> bool:
        """Whether workers begin high jobs only."""
        return used(self._seen.get(), self._settings) >= 1

    def nearly_full(self) -> bool:
        """Whether the relay admits high jobs only."""
        return used(self._seen.get(), self._settings) >= HIGH_ONLY
