"""What the API answers about jobs and their callbacks, as structs.

They are encoded into answers and described in /openapi.json, so both agree. `letter_responses.py` and
`state_responses.py` hold the other answers.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from schema.http.problems import problem_of
from schema.prepared import prepare
from schema.rows.verdict import Verdict
from schema.sql.times import moment

T = TypeVar("T", bound=Struct)

_MOMENTS = ("_at", "since", "until")  # how the names of fields end that hold one

Status = Literal["queued", "processing", "completed", "failed", "cancelled"]
Moment = Annotated[str, Meta(description="RFC 3339, UTC", extra_json_schema={"format": "date-time"})]
Count = Annotated[int, Meta(ge=0)]
InBatch = Annotated[str | None, Meta(description="The batch that it was asked for with")]
JobId = Annotated[str, Meta(description="The job's identifier", examples=["pdf_01JDCS7Q4W8Y3M6R5T2V9X0ZAB"])]


def shown(kind: type[T], row: Mapping[str, Any], /, **given: object) -> T:
    """An answer that takes what is not `given` from the row's columns of the same names; moments become RFC 3339."""
    columns = (name for name in kind.__struct_fields__ if name not in given)
    found = {name: moment(row[name]) if name.endswith(_MOMENTS) else row[name] for name in columns}
    return kind(**found, **given)


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

    batch_id: Annotated[str | None, Meta(description="null: made by a release that knew no ends of batches")]
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


def error_of(code: str | None, message: str | None) -> JobError | None:
    """Why a job failed, and what to do."""
    return None if code is None else JobError(code, message, problem_of(code).next_step)


class Job(Struct):
    """A job as it stands; of a cleaned one what the permanent record keeps."""

    job_id: JobId
    code: str
    product_id: str
    status: Status
    priority: Literal["high", "normal", "low"] | None
    round: Annotated[int, Meta(description="1 for the submission, one more for each replay", ge=1)]
    progress: Annotated[int, Meta(ge=0, le=100)]
    stage: Annotated[str | None, Meta(description="loading, rendering, storing, uploading, recording")]
    estimated_completion: Moment | None
    position_in_queue: Count | None
    created_at: Moment | None
    started_at: Moment | None
    completed_at: Moment | None
    attempts: list[Attempt]
    retry_count: int
    google_drive_link: str | None
    template_version: Annotated[str | None, Meta(description="Of the template that drew it, as /api/products tells it")]
    error: JobError | None
    webhook: Webhook | None
    batch_id: InBatch


class JobSummary(Struct):
    """A job in a list."""

    job_id: JobId
    code: str
    product_id: str
    status: Status
    priority: Annotated[Literal["high", "normal", "low"] | None, Meta(description="null: only its record is left")]
    round: int
    progress: int
    created_at: Moment | None
    completed_at: Moment | None
    retry_count: int
    google_drive_link: str | None
    error_code: str | None
    batch_id: InBatch


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


class LinkMade(Struct):
    """A link that needs no key. Its URL is shown once."""

    link_id: str
    job_id: JobId
    url: Annotated[str, Meta(description="Shows a button; the button downloads the PDF")]
    expires_at: Moment
    uses: Annotated[int | None, Meta(description="Downloads; null: as many as wanted")]


class Revoked(Struct):
    """The link opens nothing any more."""

    link_id: str
    revoked: Literal[True]


class Post(Struct):
    """One signed request to a receiver."""

    number: int
    kind: str
    started_at: Moment | None
    outcome: Annotated[str, Meta(description="sending, delivered, refused, failed, unknown")]
    status: int | None
    failure: str | None
    duration_ms: int | None
    body_head: Annotated[str | None, Meta(description="How the receiver's answer began")]


class Delivery(Struct):
    """One round's callback."""

    delivery_id: str
    round: int
    event: str
    url: Annotated[str | None, Meta(description="Shortened: a callback URL may be a secret")]
    state: str
    error_code: str | None
    hint: Annotated[str | None, Meta(description="What the receiver's answer means")]
    next_step: Annotated[str | None, Meta(description="What puts it right, of one that was given up")]
    tries: int
    last_status: int | None
    owed_at: Moment | None
    recorded_at: Moment | None
    ended_at: Moment | None
    next_try_at: Moment | None
    attempts: list[Post]


class DeliveryLog(Struct):
    """A job's callbacks, newest round first."""

    job_id: JobId
    deliveries: list[Delivery]


class Resent(Struct):
    """The callback is on its way again."""

    job_id: JobId
    delivery_id: str
    state: Literal["pending"]


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
    verdict: Annotated[
        Verdict | UnsetType, Meta(description="How things stand, where the overview has seen nothing yet")
    ] = UNSET


prepare(__name__)
