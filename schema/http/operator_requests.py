"""What operators send to the API, as validated structs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from schema.errors import Refused
from schema.http.bodies import Body, OrNull
from schema.http.faults import faults, invalid, not_json, not_valid
from schema.prepared import prepare
from schema.rows.letter_search import LetterFilter, moment_of

MAX_IDS = 1000

Word = Annotated[str, Meta(min_length=1, max_length=255)]
Why = Annotated[str, Meta(max_length=500)]
Ids = Annotated[list[Word], Meta(max_length=MAX_IDS)]
_MOMENT = r"^([0-9]{1,5}(\.[0-9]{1,3})?[smhdw]|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z)$"
T = TypeVar("T", bound=Struct)


class Act(Body):
    """The optional body of pausing, draining and resuming a queue."""

    why: Why | None = None


class Filter(Body, rename={"product_id": "productId"}):
    """Which dead letters: everything given must fit."""

    code: Word | None = None
    product_id: Word | None = None
    job_ids: OrNull[Ids] = field(default_factory=list)
    error: Word | None = None
    fingerprint: Word | None = None
    queue: Literal["pdf", "webhooks"] | None = None
    kind: Literal["job", "delivery", "raw"] | None = None
    since: Word | None = None


class LettersAct(Body):
    """The body of replaying or discarding dead letters: `ids`, or a `filter` (`{}` is every open letter)."""

    ids: OrNull[Ids] = field(default_factory=list)
    filter: Filter | None = None
    dry_run: OrNull[bool] = False
    rate: Annotated[float, Meta(ge=0.01, le=10_000)] | None = None
    trial: OrNull[Annotated[int, Meta(ge=0, le=100)]] = 5
    skip_newer: OrNull[bool] = False
    why: Why | None = None


class LettersQuery(Struct, forbid_unknown_fields=True):
    """The query string of GET /api/dead-letters; unknown names are refused, so that a typo never widens a list."""

    view: Annotated[Literal["groups", "letters"], Meta(description="By cause, or one by one")] = "groups"
    status: Annotated[
        Literal["open", "replayed", "discarded"], Meta(description="Open ones, or those that somebody has dealt with")
    ] = "open"
    code: Annotated[Word | None, Meta(description="Only of this report")] = None
    product_id: Annotated[Word | None, Meta(description="Only of this product")] = None
    job_id: Annotated[Word | None, Meta(description="Only of this job")] = None
    error: Annotated[Word | None, Meta(description="Only with this error code")] = None
    fingerprint: Annotated[Word | None, Meta(description="Only of the group with this `fingerprint`")] = None
    queue: Annotated[
        Literal["pdf", "webhooks"] | None, Meta(description="Only from this queue: reports, or callbacks")
    ] = None
    kind: Annotated[
        Literal["job", "delivery", "raw"] | None,
        Meta(description="Only jobs, callbacks, or messages that nobody could read"),
    ] = None
    since: (
        Annotated[
            str,
            Meta(
                pattern=_MOMENT, description="RFC 3339, or how long ago: 90s, 30m, 2h, 1d",
                extra={"words": "must be a moment (2026-11-23T18:00:00Z) or how long ago (90s, 30m, 2h, 1d)"},
            ),
        ]
        | None
    ) = None  # fmt: skip
    cursor: Annotated[Word | None, Meta(description="`next_cursor` of the page before")] = None


class Resend(Body):
    """The optional body of resending a callback."""

    force: OrNull[bool] = False
    why: Why | None = None


def read(body: bytes, kind: type[T]) -> T:
    """The body as `kind`; raises Refused: invalid_json, invalid_request."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise not_valid(body, kind, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_json(body, error) from None


def read_query(params: Mapping[str, Any], kind: type[T]) -> T:
    """A query string as `kind`; raises Refused("invalid_request")."""
    given = {name: v if isinstance(v, str) else v[-1] for name, v in params.items()}
    if errors := faults(given, kind, query=True):
        raise invalid(errors)
    return msgspec.convert(given, kind)


def letters_meant(asked: LettersAct, now: datetime) -> LetterFilter:
    """The selection of a request; one that names neither ids nor a filter is refused."""
    if not asked.ids and asked.filter is None:
        raise Refused("Name `ids`, or a `filter`; an empty filter {} means every open letter.", code="invalid_request")
    given = asked.filter or Filter()
    return LetterFilter(
        ids=asked.ids,
        job_ids=given.job_ids,
        code=given.code,
        product_id=given.product_id,
        error=given.error,
        fingerprint=given.fingerprint,
        queue=given.queue,
        kind=given.kind,
        since=moment_of(given.since, now) if given.since else None,
    )


def letters_asked(query: LettersQuery, now: datetime) -> LetterFilter:
    """The selection of a query string."""
    return LetterFilter(
        status=query.status,
        job_ids=[query.job_id] if query.job_id else (),
        code=query.code,
        product_id=query.product_id,
        error=query.error,
        fingerprint=query.fingerprint,
        queue=query.queue,
        kind=query.kind,
        since=moment_of(query.since, now) if query.since else None,
    )


prepare(__name__)
