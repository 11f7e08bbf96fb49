"""What the API answers about dead letters, as structs."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from schema.http.responses import Moment
from schema.prepared import prepare


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
    """Letters that have the same cause."""

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


class Letters(Struct, omit_defaults=True, kw_only=True):
    """Groups, or with `view=letters` single letters."""

    total: int | UnsetType = UNSET
    groups: list[LetterGroup] | UnsetType = UNSET
    letters: list[LetterSummary] | UnsetType = UNSET
    next_cursor: str | UnsetType | None = UNSET
    took_ms: float


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
