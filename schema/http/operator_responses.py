"""What the operators' calls answer: queues, deliveries and dead letters, as /openapi.json describes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from schema.http.responses import JobId, Moment
from schema.prepared import prepare


class Pause(Struct):
    """What keeps something from going on."""

    scope: str
    reason: str
    by: str
    since: Moment | None
    until: Annotated[Moment | None, Meta(description="Of an outage: when it is asked again")]


class QueueState(Struct):
    """How a queue stands."""

    name: Literal["pdf", "webhooks"]
    state: Literal["running", "pausing", "paused"]
    depth: Annotated[int, Meta(description="Rows that wait")]
    due: Annotated[int, Meta(description="… of which may start now")]
    published: Annotated[int, Meta(description="… of which lie in the broker")]
    processing: int
    oldest_age: Annotated[float, Meta(description="Seconds")]
    consumers: Annotated[int, Meta(description="Live worker threads")]
    workers: int
    dead_letters: int
    paused: Pause | None
    outages: list[Pause]


class QueueStates(Struct):
    """All queues."""

    queues: list[QueueState]


class Post(Struct):
    """One try to tell a receiver."""

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


class LetterSummary(Struct):
    """A dead letter in a list."""

    dead_letter_id: str
    status: Literal["open", "replayed", "discarded"]
    queue: str
    kind: str
    job_id: str | None
    delivery_id: str | None
    round: int
    code: str | None
    product_id: str | None
    error_code: str
    error: str
    fingerprint: Annotated[str, Meta(description="The same for everything that died of the same thing")]
    attempts: int
    first_failed_at: Moment | None
    last_failed_at: Moment | None
    version: str
    resolved_at: Moment | None
    resolved_by: str | None


class LetterAct(Struct):
    """What an operator did."""

    at: Moment | None
    who: str
    act: str
    why: str | None


class Letter(LetterSummary):
    """Everything about a dead letter."""

    next_step: str
    newer_completed_job: Annotated[str | None, Meta(description="A newer job of the same report that did complete")]
    traceback: Annotated[str | None, Meta(description="For operators only")]
    raw: Annotated[str | None, Meta(description="For operators only: the message as it was")]
    acts: list[LetterAct]


class Example(Struct):
    """The newest letter of a group."""

    dead_letter_id: str
    job_id: str | None
    code: str | None
    product_id: str | None
    error: str | None


class LetterGroup(Struct):
    """Letters that died of the same thing."""

    fingerprint: str
    queue: str
    kind: str
    error_code: str
    count: int
    first_at: Moment | None
    last_at: Moment | None
    appeared_at: Moment | None
    appeared_in_version: str | None
    next_step: str
    example: Example


class Letters(Struct, omit_defaults=True):
    """Groups, or with `view=letters` single letters."""

    took_ms: float
    total: int | UnsetType = UNSET
    groups: list[LetterGroup] | UnsetType = UNSET
    letters: list[LetterSummary] | UnsetType = UNSET
    next_cursor: str | UnsetType | None = UNSET


class BulkSummary(Struct):
    """What replaying or discarding came to; repeat the request until nothing remains."""

    matched: int
    dry_run: bool
    outcomes: dict[str, int]
    remaining: int
    interrupted: bool
    stopped: Any
    newer_completed: Any


prepare(__name__)
