"""What each row holds: every column once, with its unit, its meaning and who writes it. It costs nothing when running.

A query says by `of=` which of these its rows are. What a query computes besides is added beside the query. The rows of
`paces` and `audit` stand in the modules of these names: no other reads them.
A `Moment` is UTC: a datetime from MySQL, text from SQLite; `as_time` makes both an aware datetime. Flags are 0 or 1.
"""

from decimal import Decimal
from typing import Literal, NewType, TypedDict

from schema.sql.times import Moment

JobId = NewType("JobId", str)  # pdf_ and a ULID.
DeliveryId = NewType("DeliveryId", str)  # dlv_ and a ULID.
LetterId = NewType("LetterId", str)  # dl_ and a ULID.

# A job or delivery that has not ended: it waits, or it is worked on.
Open = Literal["queued", "processing"]
OPEN: tuple[Open, Open] = ("queued", "processing")
IS_OPEN = "status IN ('queued','processing')"  # SQL
JobEnd = Literal["completed", "failed", "cancelled"]
JobStatus = Literal[Open, JobEnd]
DeliveryEnd = Literal["delivered", "recorded", "dead", "superseded", "not_sent"]
DeliveryStatus = Literal[Open, DeliveryEnd]
Resolved = Literal["replayed", "discarded"]
LetterStatus = Literal["open", Resolved]
LetterKind = Literal["job", "delivery", "raw"]
Seconds = float | Decimal  # As a query computes them: MySQL gives a Decimal; float() makes both one.
Stage = Literal["loading", "rendering", "storing", "uploading"]  # storing: the kept PDF waits, or is just taken
AttemptOutcome = Literal["completed", "failed", "timeout", "returned", "crashed"]
PostEnd = Literal["delivered", "refused", "failed", "unknown"]
PostOutcome = Literal["sending", PostEnd]
PostKind = Literal["scheduled", "manual", "forced"]


class StartColumns(TypedDict):
    """What guards and counts the starts of a row that is worked on under a lease (DESIGN §2.7)."""

    start_no: int  # Claims so far; guards every write of the worker that made the last one.
    crashes: int  # Starts of this round that died; of a delivery: before their POST, or because they broke.
    tries: int  # Of a job: attempts of this round that ended failed or timeout; of a delivery: POSTs begun.


class LeaseColumns(TypedDict):
    """The lease itself, and who has it."""

    worker_id: str | None  # Who claimed the row last.
    lease_until: Moment | None  # Prolonged by heartbeats; once it is past, rescue decides.
    attempt_started_at: Moment | None  # When this start was claimed.
    deadline_at: Moment | None  # When this start has taken too long.


class PublishedColumns(TypedDict):
    """Of every table whose rows are published as messages (DESIGN §2.1)."""

    run_at: Moment  # When the row is due.
    published_at: Moment | None  # When its message was confirmed; NULL: the relay has to publish it.
    relay_token: str | None  # Which relay holds the row to publish it.
    relay_until: Moment | None  # Until when that relay holds it.
    hint_no: int  # Raised by every return to waiting, so that a relay's late mark finds nothing to mark.


class ReportColumns(TypedDict):
    """Which report a job makes, and how the job stands."""

    job_id: JobId
    code: str  # The report's identifier.
    product_id: str
    status: JobStatus
    priority: int  # 9 high, 5 normal, 0 low.
    round: int  # 1 for the submission, one more for each replay.
    requested_at: Moment  # When this round was asked for: by the submission or by the replay.
    retry_count: int  # Retries scheduled in this round.
    batch_id: str | None  # The batch that it is a member of.


class HeldJob(ReportColumns, StartColumns):
    """The columns of a job that an attempt needs, from its claim to its end."""

    turn: int  # Order of admission, 0 first: 9 - priority; promotion lowers it.
    returns: int  # Attempts of this round that were given back without costing a try.
    callback: str | None  # The caller's URL, byte for byte.
    failure_callback: str | None
    meta: str | None  # JSON, echoed in every callback.
    file_name: str | None  # What the caller wants the PDF to be called; NULL: as the settings say.
    inline_data: int  # Flag: the report came with the request (table `report_data`).
    artifact_id: str | None  # Reserved before the first upload: one file per job.
    template_version: str | None  # Hash of the template that the last drawn or refused PDF was made with.
    request_id: str | None  # The caller's own.
    traceparent: str | None  # The caller's trace, as W3C writes it.
    sealed_password: str | None  # The PDF's, sealed (schema/rows/passwords.py); NULL: none, or no longer needed.


class ListedJob(ReportColumns):
    """The columns of a job that a list shows."""

    progress: int  # Percent.
    created_at: Moment  # When the job was submitted; whole seconds on MySQL.
    ended_at: Moment | None  # When this round ended, in whatever state.
    google_drive_link: str | None  # Where a completed job's PDF is: in Drive, or behind the API's download.
    error_code: str | None


class JobRow(HeldJob, ListedJob, LeaseColumns, PublishedColumns):
    """A job (table `pdf_job_results`)."""

    error_message: str | None  # The sentence of this round's last failure.
    completed_at: Moment | None  # The same as `ended_at`, under the plan's name; whole seconds on MySQL.
    started_at: Moment | None  # The first claim of this round.
    stage: Stage | None
    cancel_requested_at: Moment | None
    upload_started_at: Moment | None  # The point of no return: from then on this round cannot be cancelled.
    owner: str  # The API key's name; empty without keys.
    idempotency_key: str | None  # Hash of the owner and of the key that the caller sent.
    fingerprint: str | None  # Hash of the request behind that key: tells a repetition from another request.


class KnownJob(TypedDict):
    """The answer to a caller who sends an Idempotency-Key again."""

    job_id: JobId
    status: JobStatus
    idempotency_key: str | None
    fingerprint: str | None


class UsedKey(KnownJob):
    """The key of a job whose row is gone (table `used_keys`); its status is the one that the job ended with."""

    removed_at: Moment  # When the row went.


class LinkRow(TypedDict):
    """A link for a reader who has no key (table `links`)."""

    link_id: str  # lnk_ and a ULID.
    job_id: JobId
    hash: str  # SHA-256 of the token in the URL; the token itself is kept nowhere.
    uses_left: int | None  # Downloads that are left; NULL: as many as wanted.
    expires_at: Moment


class BatchRow(TypedDict):
    """Jobs that were asked for together (table `batches`)."""

    batch_id: str  # bat_ and a ULID.
    owner: str  # The API key's name; empty without keys.
    created_at: Moment
    callback: str | None  # Told when every job has ended.
    failure_callback: str | None  # Told instead when one of them failed or was cancelled.
    meta: str | None  # JSON, echoed in the batch's callback.
    total: int  # Jobs.
    round: int  # 1 for the submission, one more for each time that an ended batch was opened by a replay.
    open: int  # Jobs whose round has not ended.
    completed: int
    failed: int
    cancelled: int
    ended_at: Moment | None  # When the last job of this round ended.


class AttemptRow(TypedDict):
    """An attempt that is over (table `attempts`). A running one is the job's row itself."""

    job_id: JobId
    number: int  # The `start_no` it had.
    round: int
    started_at: Moment
    ended_at: Moment
    outcome: AttemptOutcome
    error_code: str | None
    error_message: str | None
    worker_id: str | None


class HeldDelivery(StartColumns):
    """The columns of a delivery that a start needs, from its claim to its end."""

    delivery_id: DeliveryId
    job_id: JobId  # Of a batch's delivery: the batch's id.
    round: int  # The round whose end it tells.
    status: DeliveryStatus
    url: str | None  # Where to POST, byte for byte; NULL when only the permanent record is owed.
    host: str  # The URL's `host:port` or lane, for shares and pauses; empty without a URL.
    record: str  # JSON of the end as it is recorded for good.
    owed_at: Moment  # When the round ended.
    budget_at: Moment | None  # When an operator's resend or replay began a new budget; NULL: there was none.
    recorded_at: Moment | None  # When the permanent record was written.
    post_kind: PostKind  # Why the next POST is made.


class DeliveryRow(HeldDelivery, LeaseColumns, PublishedColumns):
    """The promise to tell one round's end (table `deliveries`)."""

    event: JobEnd | Literal["batch"]  # How the round ended.
    turn: int  # The job's, when the round ended.
    ended_at: Moment | None
    last_status: int | None  # HTTP status of the last answer.
    error_code: str | None  # Why it was given up.
    hint: str | None  # Advice to a person.


class PostRow(TypedDict):
    """One POST of a delivery (table `delivery_attempts`); `sending` is written before it leaves."""

    id: int
    delivery_id: DeliveryId
    number: int  # 1 for the first POST.
    started_at: Moment
    ended_at: Moment | None  # When its outcome was written down.
    outcome: PostOutcome
    kind: PostKind
    status: int | None  # HTTP status; NULL: no complete answer came.
    failure: str | None  # Why no complete answer came (schema.ports.Answer.failure).
    duration_ms: int | None
    body_head: str | None  # The head of the answer, without secrets.
    verdict: str | None  # The kind of answer (schema/callbacks/answers.py), or "unknown".


class LetterColumns(TypedDict):
    """What a dead letter is about."""

    queue: str  # Whose `.XQ` holds its copy.
    kind: LetterKind
    job_id: JobId | None  # NULL for a raw message.
    delivery_id: DeliveryId | None
    error_code: str
    last_failed_at: Moment


class DiedLetter(LetterColumns):
    """The columns that tell whether two letters have the same cause."""

    round: int
    fingerprint: str  # Letters with the same cause share it.


class CopiedLetter(LetterColumns):
    """The columns that its copy in `.XQ` shows."""

    code: str | None
    product_id: str | None
    error_message: str
    attempts: int  # Attempts of the job's round, or POSTs of the delivery.
    first_failed_at: Moment
    traceback: str | None  # Its end.
    raw: str | None  # Base64 of a message that no process of ours wrote.


class LetterRow(DiedLetter, CopiedLetter, PublishedColumns):
    """A dead letter (table `dead_letters`): what a person must look at."""

    dead_letter_id: LetterId
    status: LetterStatus
    version: str  # Of reportq, when it died.
    resolved_at: Moment | None
    resolved_by: str | None
    swept_at: Moment | None  # When its copy had left `.XQ`.


class PauseRow(TypedDict):
    """A scope that waits (table `pauses`)."""

    scope: str  # `queue:…`, `dependency:…` or `host:…`.
    until: Moment | None  # Of an outage: when the next probe is due; of an operator's pause: NULL.
    reason: str
    set_by: str  # The operator, or "outage".
    since: Moment
    code: str | None  # Of an outage: the code of the error that opened it.


class WorkerRow(TypedDict):
    """A worker process that has sent a heartbeat (table `workers`)."""

    worker_id: str
    kind: str  # The queue it serves.
    host: str
    pid: int
    threads: int  # Threads that live and are given messages.
    busy: int  # How many of them work.
    rss_mb: int  # Its peak, in MiB.
    version: str
    started_at: Moment
    seen_at: Moment  # The last heartbeat.
    dead: int  # Threads that have died.
    claimed_at: Moment | None  # When it last claimed a row, as far as this heartbeat knows.
    clock: Moment | None  # What its own clock said at the last heartbeat.


class KeyRow(TypedDict):
    """An API key (table `api_keys`). The key itself is kept nowhere."""

    key_id: str
    name: str  # The owner of what is submitted with it.
    role: Literal["read", "submit", "operate"]
    hash: str  # SHA-256 of the key.
    rate: int | None  # Requests a minute; 0: no limit; NULL: the settings' limit.
    created_at: Moment
    revoked_at: Moment | None
