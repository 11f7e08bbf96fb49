"""What the API answers about batches, and what a batch's callback says of each job."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schema.http.responses import Count, JobError, JobId, Moment, Status, Webhook, error_of, shown
from schema.prepared import prepare
from schema.rows.batches import Member
from schema.rows.columns import BatchRow

BatchId = Annotated[str, Meta(description="The batch's identifier", examples=["bat_01JDCS7Q4W8Y3M6R5T2V9X0ZAB"])]

BatchStatus = Annotated[Literal["open", "ended"], Meta(description="ended: every job has ended")]
BatchRound = Annotated[int, Meta(description="One more each time a replay opens an ended batch", ge=1)]


class BatchResult(Struct):
    """One job of a batch."""

    job_id: JobId
    code: str
    product_id: str
    status: Status
    google_drive_link: str | None
    error: JobError | None


class BatchCounts(Struct):
    """How many of its jobs are in which state."""

    total: Count
    queued: Count
    processing: Count
    completed: Count
    failed: Count
    cancelled: Count


class BatchSummary(Struct):
    """A batch in a list, and how many of its jobs are in which state."""

    batch_id: BatchId
    status: BatchStatus
    round: BatchRound
    total: Count
    open: Annotated[Count, Meta(description="Jobs that have not ended")]
    completed: Count
    failed: Count
    cancelled: Count
    created_at: Moment | None
    ended_at: Moment | None


class BatchPage(Struct):
    """Batches, newest first."""

    batches: list[BatchSummary]
    next_cursor: Annotated[str | None, Meta(description="Send it as `cursor` for the next page; null on the last")]


class BatchState(Struct):
    """A batch as it stands."""

    batch_id: BatchId
    status: BatchStatus
    round: BatchRound
    counts: BatchCounts
    created_at: Moment | None
    ended_at: Moment | None
    position_in_queue: Annotated[Count | None, Meta(description="Of its next job: 1 is next; 0 is being worked on")]
    estimated_completion: Annotated[Moment | None, Meta(description="When its last job is likely done")]
    results: list[BatchResult]
    next_cursor: Annotated[str | None, Meta(description="Send it as `cursor` for the next page; null on the last")]
    webhook: Webhook | None


class BatchCancelled(Struct):
    """What a batch's cancellation came to."""

    batch_id: BatchId
    cancelled: Annotated[Count, Meta(description="Jobs that are cancelled")]
    cancel_requested: Annotated[Count, Meta(description="Jobs that stop at their next checkpoint")]
    too_late: Annotated[Count, Meta(description="Jobs whose PDF is being stored")]


class BatchReplayed(Struct):
    """What a batch's replay came to."""

    batch_id: BatchId
    round: Annotated[int, Meta(description="The batch's", ge=1)]
    replayed: Annotated[Count, Meta(description="Jobs that are tried again")]


def summary_of(row: BatchRow) -> BatchSummary:
    """A batch as lists show it."""
    return shown(BatchSummary, row, status="open" if row["ended_at"] is None else "ended")


def result_of(row: Member) -> BatchResult:
    """A job as its batch's results show it."""
    failed = row["status"] == "failed"
    return shown(BatchResult, row, error=error_of(row["error_code"], row["error_message"]) if failed else None)


prepare(__name__)
