"""How a round ends, or goes back to the queue: one function, one transaction, guarded (DESIGN §2.4, §2.6).

Every end (completed, failed, cancelled, dead by crash) goes through `finish`. A stale worker, whose round or start
number is no longer the row's, changes nothing.
"""

from typing import Any, Literal, TypedDict

from schema.life.failures import CRASH, TIMEOUT, Failure, RetryPolicy
from schema.rows import audit, batches, deliveries, letters, rendered
from schema.rows.columns import IS_OPEN, OPEN, AttemptOutcome, HeldJob, JobEnd, JobRow, JobStatus
from schema.rows.jobs import find, is_preview
from schema.rows.leases import ExpiredJob
from schema.rows.outbox import Outbox
from schema.sql.database import Database, transactional

# What became of an attempt. "lost": the row has moved on, and nothing was written.
Stopped = Literal["cancelled", "lost"]
Failed = Literal["retry", "failed", Stopped]
GivenBack = Literal["returned", Stopped]
Became = Literal["completed", Failed, GivenBack]
CancelOutcome = Literal["cancelled", "requested", "too_late", "cancelled_before", "already", "unknown"]
ReplayOutcome = Literal["replayed", "not_ended", "completed", "unknown", "resolved"]

MAX_CRASHES = 3
MOST_RETURNS = 20  # Times a job may be given back. After so many the fault is the job's own.


@transactional
def finish(
    db: Database,
    job: HeldJob,
    status: JobEnd,
    *,
    from_status: JobStatus = "processing",
    outcome: AttemptOutcome | None,
    link: str | None = None,
    failure: Failure | None = None,
    tried: int = 0,
    saved: bool = True,
) -> bool:
    """End the round of `job` (the row as its owner saw it): end state, attempt, delivery, dead letter, in one commit.

    `tried` counts this attempt as a failed one; `saved` tells whether rendered bytes may have been kept for this round.
    A completed job is never drawn again, so its password goes.
    False when the row has moved on since: then nothing was written. Of a preview nobody is told.
    """
    now = db.now()
    won = db.execute(
        f"UPDATE pdf_job_results SET status=%s, ended_at={now}, completed_at={now}, progress=%s, stage=NULL, "
        "google_drive_link=COALESCE(%s, google_drive_link), error_code=%s, error_message=%s, template_version=%s, "
        "tries=tries+%s, lease_until=NULL, hint_no=hint_no+1, relay_token=NULL, relay_until=NULL"
        + (", sealed_password=NULL" if status == "completed" else "")
        + " WHERE job_id=%s AND round=%s AND start_no=%s AND status=%s"
        # A cancellation that was asked for in the meantime wins over a failure.
        + (" AND cancel_requested_at IS NULL" if status == "failed" else ""),
        (
            status, 100 if status == "completed" else 0, link, failure.code if failure else None,
            failure.message if failure else None, job["template_version"], tried,
            job["job_id"], job["round"], job["start_no"], from_status,
        ),
    )  # fmt: skip
    if not won:
        return False
    if outcome is not None:
        write_attempt(db, job, outcome, failure)
    if is_preview(job["job_id"]):
        return True
    end: dict[str, Any] = {"status": status, "retry_count": _counted(db, job)["retry_count"]}
    end["template_version"] = job["template_version"]
    if status == "completed":
        end |= {"google_drive_link": link, "artifact_id": job["artifact_id"]}
    elif failure is not None:
        end |= {"error_code": failure.code, "error_message": failure.message}
    deliveries.owe(db, job, end)
    if status == "failed" and failure is not None:
        letters.bury_job(db, job, failure.code, failure.message, failure.traceback)
    if job["batch_id"] is not None:
        batches.count_end(db, job["batch_id"], status, job["turn"])
    if saved:
        db.defer("DELETE FROM rendered WHERE job_id=%s", (job["job_id"],))
    return True


def write_attempt(db: Database, job: HeldJob, outcome: AttemptOutcome, failure: Failure | None) -> None:
    """One row per attempt that ended; a running attempt is the job's row itself."""
    db.defer(
        "INSERT INTO attempts (job_id, number, round, started_at, ended_at, outcome, error_code, error_message, worker_id) "
        f"SELECT job_id, start_no, round, COALESCE(attempt_started_at, requested_at), {db.now()}, %s, %s, %s, worker_id "
        "FROM pdf_job_results WHERE job_id=%s",
        (outcome, failure.code if failure else None, failure.message if failure else None, job["job_id"]),
    )


def fail(db: Database, job: HeldJob, failure: Failure, policy: RetryPolicy) -> Failed:
    """Write what becomes of a failed attempt: a retry, or the end of the round."""

    def work() -> Literal["failed", "retry"] | None:
        tries = _counted(db, job)["tries"] + 1
        if failure.permanent or tries > policy.attempts:
            return "failed" if finish(db, job, "failed", outcome=failure.outcome, failure=failure, tried=1) else None
        counted = "tries=tries+1, retry_count=retry_count+1, error_code=%s, error_message=%s"
        return "retry" if _back(db, job, policy.delay(tries), counted, failure.outcome, failure) else None

    return db.transaction(work) or _cancelled_or_lost(db, job, failure.outcome)


class _Counted(TypedDict):
    tries: int
    retry_count: int


def _counted(db: Database, job: HeldJob) -> _Counted:
    """Failed tries and retries of the round, locked: an outage's refund may have lowered what the job's owner saw.

    Zeros cannot have been lowered, so that a first attempt asks nothing.
    """
    if not job["tries"] and not job["retry_count"]:
        return job
    query = f"SELECT tries, retry_count FROM pdf_job_results WHERE job_id=%s{db.lock()}"
    return db.fetch_one(query, (job["job_id"],), of=_Counted) or job


def give_back(
    db: Database,
    job: HeldJob,
    *,
    seconds: float = 0.0,
    outcome: AttemptOutcome = "returned",
    counts: Literal["returns", "crashes"] = "returns",
) -> GivenBack:
    """Back to the queue without costing a try. `counts` names the counter that is raised."""
    won = db.transaction(lambda: _back(db, job, seconds, f"{counts}={counts}+1", outcome, None))
    return "returned" if won else _cancelled_or_lost(db, job, outcome)


def _back(
    db: Database, job: HeldJob, seconds: float, assignments: str, outcome: AttemptOutcome, failure: Failure | None
) -> bool:
    """Let the job wait again, due in `seconds`, and write its attempt. A failure's code and sentence are for `assignments`."""
    texts = (failure.code, failure.message) if failure else ()
    won = db.matched(
        f"UPDATE pdf_job_results SET status='queued', run_at={db.later(seconds)}, {Outbox.BACK}, lease_until=NULL, "
        f"stage=NULL, progress=0, {assignments} "
        "WHERE job_id=%s AND round=%s AND start_no=%s AND status='processing' AND cancel_requested_at IS NULL",
        (*texts, job["job_id"], job["round"], job["start_no"]),
    )
    if won:
        write_attempt(db, job, outcome, failure)
        rendered.wait_no_more(db, job["job_id"])
    return won


def _cancelled_or_lost(db: Database, job: HeldJob, outcome: AttemptOutcome) -> Stopped:
    """End the round when a cancellation was asked for: it wins over retry, rescue and return."""
    row = find(db, job["job_id"])
    if row is None or row["cancel_requested_at"] is None:
        return "lost"
    return "cancelled" if finish(db, job, "cancelled", outcome=outcome) else "lost"


def spared(job: ExpiredJob) -> bool:
    """Whether a start whose lease ran out counts as returned: it uploaded when its process died of something else."""
    return not job["overdue"] and job["stage"] in ("storing", "uploading") and job["returns"] < MOST_RETURNS


def rescue(db: Database, job: ExpiredJob, policy: RetryPolicy) -> Failed | GivenBack:
    """Decide about a job whose worker was not heard of for a whole lease.

    An upload does not kill its process, so a job that died in its upload is given back. Otherwise a report that kills
    its process would cost other jobs a crash (DESIGN §2.6).
    """
    if job["overdue"]:
        return fail(db, job, TIMEOUT, policy)
    if spared(job):
        return give_back(db, job)
    if job["crashes"] + 1 >= MAX_CRASHES:
        won = finish(db, job, "failed", outcome="crashed", failure=CRASH)
        return "failed" if won else _cancelled_or_lost(db, job, "crashed")
    return give_back(db, job, outcome="crashed", counts="crashes")


def cancel(db: Database, job_id: str) -> CancelOutcome:
    """Cancel a waiting job at once; ask a working one to stop at its next checkpoint (`requested`).

    `too_late`: the upload has begun. `already`: it has ended in another state than `cancelled_before`.
    """
    for _ in range(5):  # the row may move between the look and the guarded write
        row = find(db, job_id)
        if row is None:
            return "unknown"
        if row["upload_started_at"] is not None and row["status"] in OPEN:
            return "too_late"  # for the whole round: a retry of the upload waits, or is under way
        if row["status"] == "queued":
            if finish(db, row, "cancelled", from_status="queued", outcome=None):
                return "cancelled"
        elif row["status"] == "processing":
            if (became := _ask_to_stop(db, row)) is not None:
                return became
        else:
            return "cancelled_before" if row["status"] == "cancelled" else "already"
    return "too_late"


@transactional
def _ask_to_stop(db: Database, job: JobRow) -> Literal["cancelled", "requested"] | None:
    """Cancel a job whose kept PDF waits for the store, ask a working one to stop; None when the row has moved on."""
    won = db.execute(
        f"UPDATE pdf_job_results SET cancel_requested_at=COALESCE(cancel_requested_at, {db.now()}) "
        "WHERE job_id=%s AND status='processing' AND round=%s AND upload_started_at IS NULL",
        (job["job_id"], job["round"]),
    )
    if not won:
        return None
    row = find(db, job["job_id"])  # under the lock of the write above
    if row is None or not rendered.waits(row):
        return "requested"
    return "cancelled" if finish(db, row, "cancelled", outcome="returned") else None


@transactional
def replay(
    db: Database,
    job_id: str,
    *,
    by: str,
    why: str | None = None,
    callback: str | None = None,
    failure_callback: str | None = None,
    dead_letter_id: str | None = None,
) -> ReplayOutcome:
    """Start a new round of a failed or cancelled job with a fresh budget.

    `resolved`: the dead letter that asked for it is no longer open.
    """
    job = find(db, job_id, db.lock())
    if job is None:
        return "unknown"
    if dead_letter_id is not None and not letters.resolve(db, dead_letter_id, "replayed", by):
        return "resolved"
    if job["status"] == "completed":
        return "completed"
    if job["status"] not in ("failed", "cancelled"):
        return "not_ended"
    now = db.now()
    db.execute(
        f"UPDATE pdf_job_results SET status='queued', round=round+1, requested_at={now}, run_at={now}, {Outbox.BACK}, "
        "tries=0, crashes=0, returns=0, retry_count=0, started_at=NULL, ended_at=NULL, completed_at=NULL, "
        "attempt_started_at=NULL, turn=9-priority, stage=NULL, progress=0, error_code=NULL, error_message=NULL, "
        "cancel_requested_at=NULL, upload_started_at=NULL, callback=COALESCE(%s, callback), "
        "failure_callback=CASE WHEN %s IS NULL THEN failure_callback ELSE %s END WHERE job_id=%s",
        (callback, callback or failure_callback, failure_callback, job_id),
    )
    deliveries.supersede(db, job_id)
    letters.resolve_of_job(db, job_id, "replayed", by)
    if job["batch_id"] is not None:
        batches.reopen(db, job["batch_id"], job["status"], by)
    audit.note(db, by, "replay", job_id, why)
    return "replayed"


def refund(db: Database, members: list[tuple[str, int]]) -> None:
    """Give tries back to jobs that had counted an outage's first errors as failures (DESIGN §2.14)."""
    for job_id, number in members:
        _refund(db, job_id, number)


@transactional
def _refund(db: Database, job_id: str, number: int) -> None:
    was_failed = "UPDATE attempts SET outcome='returned' WHERE job_id=%s AND number=%s AND outcome='failed'"
    if db.matched(was_failed, (job_id, number)):
        db.execute(
            "UPDATE pdf_job_results SET tries=tries-1, retry_count=retry_count-1, returns=returns+1 "
            f"WHERE job_id=%s AND {IS_OPEN} AND tries>0 AND retry_count>0 "
            "AND round=(SELECT round FROM attempts WHERE job_id=%s AND number=%s)",
            (job_id, job_id, number),
        )
