"""What the API answers about how the system stands, as structs: queues, the overview, health."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from schema.http.responses import Moment
from schema.prepared import prepare
from schema.rows.verdict import Verdict


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
    verdict: Annotated[Verdict, Meta(description="How things stand at this moment, however old the rest is")]


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
    verdict: Annotated[Verdict, Meta(description="How things stand; without a key only keys and severities")]


class Limits(Struct):
    """How much one caller may send."""

    requests_per_minute: Annotated[int | None, Meta(description="Of this key; null: no limit")]
    body_bytes: int
    max_batch: Annotated[int, Meta(description="Jobs of one batch")]
    max_backlog: Annotated[int, Meta(description="Jobs of all callers that may wait")]
    longest_wait: Annotated[float, Meta(description="Seconds that `Prefer: wait` may ask for")]


class Me(Struct):
    """Who the caller is to this service."""

    name: Annotated[str, Meta(description="The key's name; `local` for a program of this machine without a key")]
    role: Literal["read", "submit", "operate"]
    limits: Limits


prepare(__name__)
