"""The job's row: submission, the SQL that claims it, progress, and what is read of it.

Its states stand in `schema/__init__.py`; what ends a round or gives it back in `schema/life/rounds.py`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

from schema.errors import Cancelled, LeaseLost, ReportqError
from schema.rows import used_keys
from schema.rows.columns import IS_OPEN, AttemptRow, HeldJob, JobId, JobRow, Seconds, Stage, UsedKey
from schema.sql.database import AT_ONCE, Database, DatabaseDown, marks, transactional

_EMPTY = {"owner": "", "inline_data": 0}  # What these columns hold without a value; others hold NULL.
_INSERTS = 5  # Tries while the row that has the idempotency key vanishes before it is read.
PRIORITIES: dict[Literal["high", "normal", "low"], int] = {"high": 9, "normal": 5, "low": 0}
HIGHEST = 9
PROMOTED = 7
PREVIEW = "pre_"  # Begins a preview's id. A report's id begins with `pdf_`, and sorts before it.
REPORTS = f"job_id < '{PREVIEW}'"  # SQL that leaves out previews.
# The columns that an attempt needs. Each further column costs the client as much as a statement.
NEEDED = (
    "job_id, code, product_id, priority, turn, status, requested_at, round, start_no, tries, crashes, returns, retry_count, "
    "worker_id, callback, failure_callback, meta, file_name, inline_data, artifact_id, request_id, traceparent, batch_id, "
    "template_version, sealed_password"
)


def priority_word(number: int) -> str:
    """The plan's word for a priority number."""
    return next((word for word, n in PRIORITIES.items() if n == number), "normal")


def is_preview(job_id: str) -> bool:
    """Whether this job is a preview: its caller waits for it, and nothing of it is kept."""
    return job_id.startswith(PREVIEW)


def turn_of(priority: int) -> int:
    """The admission order of a priority: 0 goes first. Ascending, so that one plain index holds the order."""
    return HIGHEST - priority


@dataclass(frozen=True, slots=True)
class NewJob:
    """A validated request, ready to become a row."""

    job_id: str
    code: str
    product_id: str
    priority: int = 5
    callback: str | None = None
    failure_callback: str | None = None
    meta: bytes | None = None  # JSON
    file_name: str | None = None
    inline: bytes | None = None  # JSON: the report's content
    owner: str = ""
    idempotency_key: str | None = None
    fingerprint: str | None = None
    request_id: str | None = None
    traceparent: str | None = None
    batch_id: str | None = None
    sealed_password: str | None = None


class KeyTaken(ReportqError):
    """The idempotency key belongs to a job that is, or was, there already: `row`."""

    code = "idempotency_key_taken"

    def __init__(self, row: JobRow | UsedKey) -> None:
        super().__init__("This Idempotency-Key was used before.")
        self.row = row


def submit(db: Database, job: NewJob) -> None:
    """Write the job: ONE insert (two when the report comes inline). Harmless when repeated with the same job_id.

    Behind an Idempotency-Key one question more is asked in the same transaction: of keys whose rows are gone.

    When the connection was lost at once, it asks once more: a restarted database has dropped every connection. Else
    callers would be refused although the database is up.
    """
    write = _insert if job.inline is None and job.idempotency_key is None else _insert_whole
    began = time.monotonic()
    try:
        write(db, job)
    except DatabaseDown:
        if time.monotonic() - began > AT_ONCE:
            raise
        write(db, job)


@transactional
def _insert_whole(db: Database, job: NewJob) -> bool:
    """As `_insert`, with the report that came inline, and unless the key is that of a job whose row is gone."""
    if not _insert(db, job):
        return False
    # Asked after the insert, which waits for a retention that just deletes the row with this key.
    if job.idempotency_key is not None and (used := used_keys.find(db, job.idempotency_key)) is not None:
        raise KeyTaken(used)
    if job.inline is not None:
        db.defer("INSERT INTO report_data (job_id, body) VALUES (%s, %s)", (job.job_id, job.inline.decode()))
    return True


def submit_all(db: Database, together: Sequence[NewJob]) -> None:
    """Write several jobs without inline reports by ONE insert: all of them or, with an IntegrityError, none."""
    rows = [_columns(job) for job in together]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    now = db.now()
    one = f"({'%s,' * len(columns)}{now},{now})"
    db.execute(
        f"INSERT INTO pdf_job_results ({','.join(columns)},requested_at,run_at) VALUES {','.join([one] * len(rows))}",
        [row.get(column, _EMPTY.get(column)) for row in rows for column in columns],
    )


def _insert(db: Database, job: NewJob) -> bool:
    """Whether the row was written now; False when an earlier insert, whose answer was lost, had written it."""
    values = _columns(job)
    now = db.now()
    for _ in range(_INSERTS):
        if db.insert(
            f"INSERT INTO pdf_job_results ({','.join(values)},requested_at,run_at) "
            f"VALUES ({'%s,' * len(values)}{now},{now})",
            tuple(values.values()),
        ):
            return True
        row = None if job.idempotency_key is None else find_by_key(db, job.idempotency_key)
        if row is not None and row["job_id"] != job.job_id:
            raise KeyTaken(row)
        if row is not None or find(db, job.job_id) is not None:
            return False
        # The row that had the key was cleaned away meanwhile: no row stands for this request.
    raise DatabaseDown("The row that held this Idempotency-Key comes and goes.")


def _columns(job: NewJob) -> dict[str, Any]:
    """What differs from the columns' defaults: every value costs the client as much as the server."""
    values: dict[str, Any] = {
        "job_id": job.job_id,
        "code": job.code,
        "product_id": job.product_id,
        "priority": job.priority,
        "turn": turn_of(job.priority),
        "callback": job.callback,
        "failure_callback": job.failure_callback,
        "meta": job.meta.decode() if job.meta else None,
        "file_name": job.file_name,
        "inline_data": None if job.inline is None else 1,
        "owner": job.owner or None,
        "idempotency_key": job.idempotency_key,
        "fingerprint": job.fingerprint,
        "request_id": job.request_id,
        "traceparent": job.traceparent,
        "batch_id": job.batch_id,
        "sealed_password": job.sealed_password,
    }
    return {column: value for column, value in values.items() if value is not None}


def find(db: Database, job_id: str, lock: str = "") -> JobRow | None:
    """The row, or None; `lock` is `db.lock()` where the caller's transaction is to lock it."""
    return db.fetch_one(f"SELECT * FROM pdf_job_results WHERE job_id=%s{lock}", (job_id,), of=JobRow)


def known(db: Database, key: str) -> JobRow | UsedKey | None:
    """The job that this idempotency key has made, whether its row is there or gone; or None."""
    return find_by_key(db, key) or used_keys.find(db, key)


def find_by_key(db: Database, key: str) -> JobRow | None:
    """The row that holds this idempotency key, or None."""
    return db.fetch_one("SELECT * FROM pdf_job_results WHERE idempotency_key=%s", (key,), of=JobRow)


def unended(db: Database, ids: Sequence[str]) -> set[str]:
    """Which of these jobs have not ended."""
    return set(db.column(f"SELECT job_id FROM pdf_job_results WHERE job_id IN ({marks(ids)}) AND {IS_OPEN}", ids))


def inline_report(db: Database, job_id: JobId) -> str | None:
    """The report's content that came with the request, as JSON text."""
    text: str | None = db.scalar("SELECT body FROM report_data WHERE job_id=%s", (job_id,))
    return text


def attempts_of(db: Database, job_id: str) -> list[AttemptRow]:
    """The job's ended attempts, oldest first."""
    return db.fetch_all("SELECT * FROM attempts WHERE job_id=%s ORDER BY number", (job_id,), of=AttemptRow)


@final
class ClaimedJob(HeldJob):
    """A job's row as its claim saw it, and as the claim changed it."""

    worker_id: str | None
    due: int  # flag
    age: Seconds  # from `requested_at` to the claim


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on one start of a job; every write is guarded by its round and start number."""

    row: ClaimedJob

    @property
    def job_id(self) -> JobId:
        return self.row["job_id"]

    @property
    def round(self) -> int:
        return self.row["round"]

    @property
    def start_no(self) -> int:
        return self.row["start_no"]


# Why a message led to no work.
Unclaimed = Literal["unknown", "processing", "ended", "not_due", "taken", "paused", "held_back"]


def claim(
    db: Database, job_id: str, *, worker_id: str, lease: float, timeout: float, high_only: bool = False
) -> Claim | Unclaimed:
    """Take a waiting, due job under a lease; `held_back` when only high jobs may begin. Other messages are forgotten."""
    row = db.fetch_one(
        f"SELECT {NEEDED}, CASE WHEN run_at <= {db.now()} THEN 1 ELSE 0 END AS due, {db.age('requested_at')} AS age "
        "FROM pdf_job_results WHERE job_id=%s",
        (job_id,),
        of=ClaimedJob,
    )
    if row is None:
        return "unknown"
    if row["status"] != "queued":
        return "processing" if row["status"] == "processing" else "ended"
    if not row["due"]:
        return "not_due"
    if high_only and row["turn"] > 0:
        return "held_back"
    now = db.now()
    won = db.execute(
        f"UPDATE pdf_job_results SET status='processing', start_no=start_no+1, worker_id=%s, "
        f"lease_until={db.later(lease)}, attempt_started_at={now}, deadline_at={db.later(timeout)}, "
        f"started_at=COALESCE(started_at, {now}), stage='loading', progress=0, relay_token=NULL, relay_until=NULL "
        f"WHERE job_id=%s AND status='queued' AND start_no=%s AND round=%s AND run_at <= {now}",
        (worker_id, job_id, row["start_no"], row["round"]),
    )
    if not won:
        return "taken"
    row["start_no"] += 1
    row["status"] = "processing"
    row["worker_id"] = worker_id
    return Claim(row)


def show_progress(db: Database, held: Claim, stage: Stage, progress: int, lease: float) -> None:
    """Write stage and progress (0–100) and prolong the lease; raises Cancelled or LeaseLost when the work must stop."""
    guarded(db, held, f"stage=%s, progress=%s, lease_until={db.later(lease)}", (stage, max(0, min(100, progress))))


def pass_upload_point(db: Database, held: Claim, artifact_id: str, lease: float) -> None:
    """The point of no return: from here on this round can no longer be cancelled (DESIGN §2.13).

    The same write keeps the reserved artifact id, before the first upload.
    """
    guarded(
        db,
        held,
        f"stage='uploading', progress=80, artifact_id=%s, lease_until={db.later(lease)}, "
        f"upload_started_at=COALESCE(upload_started_at, {db.now()})",
        (artifact_id,),
    )
    held.row["artifact_id"] = artifact_id


def guarded(db: Database, held: Claim, assignments: str, params: tuple[Any, ...] = ()) -> None:
    """Change the row of a running attempt; raises Cancelled or LeaseLost when the attempt must stop instead."""
    won = db.execute(
        f"UPDATE pdf_job_results SET {assignments} WHERE job_id=%s AND round=%s AND start_no=%s "
        "AND status='processing' AND cancel_requested_at IS NULL",
        (*params, held.job_id, held.round, held.start_no),
    )
    if won:
        return
    row, ours = find(db, held.job_id), ("processing", held.round, held.start_no)
    if row is not None and row["cancel_requested_at"] and (row["status"], row["round"], row["start_no"]) == ours:
        raise Cancelled("The job was cancelled while it was processed.")
    raise LeaseLost("Another start of this job has taken over.")
