"""Batches: jobs that were asked for together, counted as their rounds end, and told once when all have (DESIGN §2.15).

The ids of a batch's jobs are consecutive and begin with the batch's own: `bat_X` holds `pdf_X`, `pdf_X+1` …, in the order
of submission. So a page of them, and their number in any state, is read by a range of primary keys.
A batch's delivery is a row of `deliveries` whose `job_id` is the batch's id.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TypedDict, cast

from ulid import ULID

from schema.callbacks.urls import host_key
from schema.ports import Documents, End
from schema.rows import deliveries, jobs, letters
from schema.rows.columns import IS_OPEN, BatchRow, JobEnd, JobId, JobRow, JobStatus
from schema.rows.jobs import NewJob
from schema.sql.database import Database, marks, transactional

_RANGE = "job_id >= %s AND job_id <= %s"


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A new batch, ready to become a row."""

    batch_id: str
    owner: str = ""
    callback: str | None = None
    failure_callback: str | None = None
    meta: bytes | None = None  # JSON


class Member(TypedDict):
    """A batch's job as its results show it."""

    job_id: JobId
    code: str
    product_id: str
    status: str
    google_drive_link: str | None
    artifact_id: str | None
    error_code: str | None
    error_message: str | None


def member(batch_id: str, place: int) -> JobId:
    """The id of a batch's job; the first one's place is 0."""
    return JobId(f"pdf_{ULID.from_int(int(ULID.from_str(batch_id[4:])) + place)}")


def of_first(job_id: JobId) -> str:
    """The id of the batch whose first job this is."""
    return f"bat_{job_id[4:]}"


@transactional
def submit(db: Database, batch: NewBatch, members: Sequence[NewJob]) -> None:
    """Write the batch and its jobs, all or nothing; harmless when repeated. Raises KeyTaken, as a job's submission does."""
    meta, size = batch.meta.decode() if batch.meta else None, len(members)
    if not db.insert(
        "INSERT INTO batches (batch_id, owner, created_at, callback, failure_callback, meta, total, open) "
        f"VALUES (%s,%s,{db.now()},%s,%s,%s,%s,%s)",
        (batch.batch_id, batch.owner, batch.callback, batch.failure_callback, meta, size, size),
    ):
        return  # an earlier commit, whose answer was lost, has written all of it
    for job in members:
        jobs.submit(db, job)


def find(db: Database, batch_id: str) -> BatchRow | None:
    """The row, or None."""
    return db.fetch_one("SELECT * FROM batches WHERE batch_id=%s", (batch_id,), of=BatchRow)


def page(db: Database, before: str | None, limit: int) -> list[BatchRow]:
    """The newest batches, or the newest of those that were asked for before the batch `before`."""
    return db.fetch_all(
        "SELECT * FROM batches WHERE batch_id < %s ORDER BY batch_id DESC LIMIT %s",
        (before or "bat_~", limit),
        of=BatchRow,
    )


def unended(db: Database, ids: Sequence[str]) -> set[str]:
    """Which of these batches have not ended."""
    return set(db.column(f"SELECT batch_id FROM batches WHERE batch_id IN ({marks(ids)}) AND ended_at IS NULL", ids))


def count_end(db: Database, batch_id: str, status: JobEnd, turn: int) -> None:
    """Count the end of a member's round, in the transaction that writes it; the last one ends the batch's round.

    If the batch has a callback, that transaction also owes its delivery.
    """
    # The write locks the row, so that of two last ends the later one sees the other's.
    db.defer(f"UPDATE batches SET open=open-1, {status}={status}+1 WHERE batch_id=%s", (batch_id,))
    batch = find(db, batch_id)
    if batch is None or batch["open"] > 0:
        return
    db.defer(f"UPDATE batches SET ended_at={db.now()} WHERE batch_id=%s", (batch_id,))
    spoilt = batch["failed"] + batch["cancelled"] > 0
    url = (batch["failure_callback"] if spoilt else None) or batch["callback"]
    if url:
        db.defer(
            # No permanent record is owed for it: those of its jobs are.
            "INSERT INTO deliveries (delivery_id, job_id, round, event, url, host, record, owed_at, turn, run_at, recorded_at) "
            "SELECT %s, batch_id, round, 'batch', %s, %s, '{}', ended_at, %s, ended_at, ended_at "
            "FROM batches WHERE batch_id=%s",
            (f"dlv_{ULID()}", url, host_key(url), turn, batch_id),
        )


def reopen(db: Database, batch_id: str, status: JobStatus, by: str) -> None:
    """A member that had ended as `status` is replayed: in the same transaction the batch is open again.

    A batch that had ended begins its next round. The last round's owed delivery and dead letter close.
    """
    db.execute(
        f"UPDATE batches SET open=open+1, {status}={status}-1, "
        "round=round+CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END, ended_at=NULL WHERE batch_id=%s",
        (batch_id,),
    )
    deliveries.supersede(db, batch_id)
    letters.resolve_of_job(db, batch_id, "replayed", by)


def redirect(db: Database, batch_id: str, callback: str | None, failure_callback: str | None) -> None:
    """Tell the batch's next end to other URLs: a new callback replaces both, as a job's replay does."""
    db.execute(
        "UPDATE batches SET callback=COALESCE(%s, callback), "
        "failure_callback=CASE WHEN %s IS NULL THEN failure_callback ELSE %s END WHERE batch_id=%s",
        (callback, callback or failure_callback, failure_callback, batch_id),
    )


def members(db: Database, documents: Documents, batch: BatchRow, first: int, count: int) -> list[Member]:
    """`count` of its jobs from the place `first` on, in order of submission.

    Jobs whose rows were cleaned away come from their permanent records; erased ones are left out. Raises DependencyDown.
    """
    places = range(first, min(first + count, batch["total"]))
    if not places:
        return []
    ids = [member(batch["batch_id"], place) for place in places]
    rows = db.fetch_all(
        "SELECT job_id, code, product_id, status, google_drive_link, artifact_id, error_code, error_message "
        f"FROM pdf_job_results WHERE {_RANGE}",
        (ids[0], ids[-1]),
        of=Member,
    )
    there = {row["job_id"]: row for row in rows}
    found = (there.get(job_id) or _recorded(documents.find_end(job_id)) for job_id in ids)
    return [one for one in found if one is not None]


def _recorded(end: End | None) -> Member | None:
    """A job as its record shows it: all that a member's row has, and more."""
    return None if end is None else cast(Member, asdict(end))


def processing(db: Database, batch: BatchRow) -> int:
    """How many of its jobs are worked on."""
    return db.count(
        f"SELECT COUNT(*) FROM pdf_job_results{db.by('idx_jobs_lease')} WHERE status='processing' AND {_RANGE}",
        _ends(batch),
    )


def line(db: Database, batch: BatchRow) -> list[JobRow]:
    """The first and the last of its jobs that have not ended, in order of admission; none when all have."""
    query = f"SELECT * FROM pdf_job_results{db.by('PRIMARY')} WHERE {IS_OPEN} AND {_RANGE} ORDER BY "
    rows = [
        db.fetch_one(f"{query}turn {way}, requested_at {way}, job_id {way} LIMIT 1", _ends(batch), of=JobRow)
        for way in ("ASC", "DESC")
    ]
    return [row for row in rows if row is not None]


def each(db: Database, batch: BatchRow, statuses: Sequence[JobStatus], act: Callable[[JobId], str]) -> list[str]:
    """What `act` answered for each of its jobs in one of these states, in the caller's transaction.

    All of them are locked first: whoever ends one locks that job before the batch, too.
    """
    ids = db.column(
        f"SELECT job_id FROM pdf_job_results{db.by('PRIMARY')} WHERE status IN ({marks(statuses)}) AND {_RANGE} "
        f"ORDER BY job_id{db.lock()}",
        (*statuses, *_ends(batch)),
    )
    return [act(job_id) for job_id in ids]


def has_members(db: Database, batch: BatchRow) -> bool:
    """Whether rows of its jobs are still there."""
    return db.scalar(f"SELECT 1 FROM pdf_job_results WHERE {_RANGE} LIMIT 1", _ends(batch)) is not None


def _ends(batch: BatchRow) -> tuple[JobId, JobId]:
    """Its first and its last job."""
    return member(batch["batch_id"], 0), member(batch["batch_id"], batch["total"] - 1)
