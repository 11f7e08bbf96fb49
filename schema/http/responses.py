"""What the API answers, as structs: they are encoded into answers and described in /openapi.json, so both agree."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from schema.prepared import prepare

Status = Literal["queued", "processing", "completed", "failed", "cancelled"]
Moment = Annotated[str, Meta(description="RFC 3339, UTC", extra_json_schema={"format": "date-time"})]
Count = Annotated[int, Meta(ge=0)]
JobId = Annotated[str, Meta(description="The job's identifier", examples=["pdf_01JDCS7Q4W8Y3M6R5T2V9X0ZAB"])]


class Accepted(Struct):
    """A job that waits or works."""

    job_id: JobId
    status: Status
    estimated_completion: Annotated[
        Moment | None, Meta(description="When it is likely done: from live workers, what is ahead, measured durations")
    ]
    position_in_queue: Annotated[Count | None, Meta(description="1 is next; 0 is being worked on")]


class BatchAccepted(Struct):
    """One result per job of the batch, in its order."""

    jobs: list[Accepted]


class Attempt(Struct):
    """One start of a job."""

    number: int
    round: int
    started_at: Moment | None
    ended_at: Moment | None
    outcome: Annotated[
        str | None, Meta(description="completed, failed, timeout, returned, crashed, cancelled; null while it runs")
    ]
    error_code: str | None


class Webhook(Struct):
    """How far the callback of the current round has come."""

    state: Annotated[
        str, Meta(description="not_due, pending, delivered, recorded (none wanted), dead, superseded, not_sent")
    ]
    tries: int
    last_status: int | None
    next_try_at: Moment | None
    hint: Annotated[str | None, Meta(description="What to look at when the receiver refuses")]


class JobError(Struct):
    """Why a job failed, and what to do."""

    code: str
    message: str | None
    next_step: str


class Job(Struct):
    """A job as it stands; of a cleaned one what the permanent record keeps."""

    job_id: JobId
    code: str
    product_id: str
    status: Status
    priority: Literal["high", "normal", "low"] | None
    round: Annotated[int, Meta(description="1 for the submission, one more for each replay", ge=1)]
    progress: Annotated[int, Meta(ge=0, le=100)]
    stage: Annotated[str | None, Meta(description="loading, rendering, uploading, recording")]
    estimated_completion: Moment | None
    position_in_queue: Count | None
    created_at: Moment | None
    started_at: Moment | None
    completed_at: Moment | None
    attempts: list[Attempt]
    retry_count: int
    google_drive_link: str | None
    error: JobError | None
    webhook: Webhook | None


class JobSummary(Struct):
    """A job in a list."""

    job_id: JobId
    code: str
    product_id: str
    status: Status
    priority: Literal["high", "normal", "low"]
    round: int
    progress: int
    created_at: Moment | None
    completed_at: Moment | None
    retry_count: int
    google_drive_link: str | None
    error_code: str | None


class JobPage(Struct):
    """Jobs, newest first."""

    jobs: list[JobSummary]
    next_cursor: Annotated[str | None, Meta(description="Send it as `cursor` for the next page; null on the last")]


class CancelAnswer(Struct):
    """What a cancellation came to."""

    job_id: JobId
    status: Annotated[
        Literal["cancelled", "processing"], Meta(description="processing: it stops at the next checkpoint")
    ]
    cancel_requested: bool


class Line(Struct):
    """Jobs of one priority that wait or are worked on."""

    priority: Literal["high", "normal", "low"]
    queued: Annotated[int, Meta(ge=0)]
    processing: Annotated[int, Meta(ge=0)]
    oldest: Annotated[float | None, Meta(description="Seconds since the longest waiting one was asked for")]


class Minute(Struct):
    """What came and what ended within one minute."""

    at: Moment | None
    submitted: Annotated[int, Meta(ge=0)]
    completed: Annotated[int, Meta(ge=0)]
    failed: Annotated[int, Meta(ge=0)]
    cancelled: Annotated[int, Meta(ge=0)]


class WorkerShown(Struct):
    """A worker process that was heard of lately."""

    worker_id: str
    queue: Annotated[str, Meta(description="pdf or webhooks")]
    host: str
    threads: int
    busy: int
    memory_mb: int
    version: str
    started_at: Moment | None
    seen_at: Moment | None


class PauseShown(Struct):
    """What starts nothing at the moment."""

    scope: Annotated[str, Meta(description="queue:<name>, dependency:<name> or host:<host:port>")]
    reason: str
    by: str
    outage: Annotated[bool, Meta(description="Set because it was found down; lifted when it answers again")]
    since: Moment | None
    until: Annotated[Moment | None, Meta(description="Of an outage: when it is asked next")]


class Overview(Struct):
    """How everything stands, at most two seconds old."""

    at: Moment | None
    version: str
    role: Annotated[
        Literal["read", "submit", "operate"] | None, Meta(description="Of the key that asks; null when none is needed")
    ]
    lines: Annotated[list[Line], Meta(description="One for each priority")]
    accepting: Annotated[bool, Meta(description="Whether fewer than REPORTQ_MAX_BACKLOG jobs wait")]
    callbacks_owed: Annotated[int, Meta(ge=0)]
    oldest_callback: Annotated[float | None, Meta(description="Seconds the oldest callback is owed")]
    dead_letters: Annotated[dict[str, int], Meta(description="Open ones of each queue")]
    minutes: Annotated[list[Minute], Meta(description="The last 60, oldest first")]
    workers: list[WorkerShown]
    pauses: list[PauseShown]


class Alive(Struct):
    """The process answers."""

    status: Literal["alive"]
    version: str


class Part(Struct, omit_defaults=True):
    """One thing that jobs need."""

    state: Annotated[Literal["up", "down", "unknown"], Meta(description="unknown: it has not answered yet")]
    detail: Annotated[str | UnsetType, Meta(description="What to look at; told to callers with a key")] = UNSET


class Readiness(Struct):
    """What can be done at the moment."""

    status: Annotated[
        Literal["ready", "degraded", "not_ready"],
        Meta(description="degraded: jobs are accepted and wait for what is down; not_ready: nothing is accepted"),
    ]
    down: list[str]
    parts: dict[str, Part]


class Problem(Struct, omit_defaults=True):
    """What went wrong, and what to do (RFC 9457)."""

    type: Annotated[str, Meta(description="Where the code is explained", examples=["/docs/problems#job_not_found"])]
    title: str
    status: int
    code: Annotated[str, Meta(description="Stable: the same in answers, callbacks, logs, metrics and dead letters")]
    detail: Annotated[str, Meta(description="What happened here")]
    next_step: Annotated[str, Meta(description="What puts it right")]
    instance: str
    request_id: Annotated[str, Meta(description="Tell it an operator: it stands in the log")]
    errors: Annotated[dict[str, Any] | UnsetType, Meta(description="Each field at fault with what is expected")] = UNSET
    job_id: str | UnsetType = UNSET


prepare(__name__)
