"""What callers ask for outside of bodies: headers and query parameters, each refused with its name when unusable."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from schema.errors import Refused
from schema.http.faults import faults, invalid
from schema.http.requests import Filter, LettersAct, Name, Word
from schema.http.responses import Status
from schema.prepared import prepare
from schema.rows import letter_search
from schema.rows.letter_search import LetterFilter
from schema.rows.listing import after_cursor, moment_of

T = TypeVar("T", bound=Struct)

_WAIT = re.compile(r"\d{1,9}(\.\d{1,3})?")
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_MOMENT = r"^([0-9]{1,5}(\.[0-9]{1,3})?[smhdw]|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z)$"
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


_SINCE = Meta(
    pattern=_MOMENT, description="RFC 3339, or how long ago: 90s, 30m, 2h, 1d",
    extra={"words": "must be a moment (2026-11-23T18:00:00Z) or how long ago (90s, 30m, 2h, 1d)"},
)  # fmt: skip
_NEXT = "`next_cursor` of the page before"
_NO_CURSOR = {"words": "is not a cursor of this list"}


@dataclass(frozen=True, slots=True)
class Preference:
    """What `Prefer` asks for (RFC 7240)."""

    wait: float | None = None  # seconds
    respond_async: bool = False


def preference(header: str | None, longest: float) -> Preference:
    """The header's `wait` (at most `longest` seconds are granted) and `respond-async`; others are passed over."""
    if not header:
        return Preference()
    wait, respond_async = None, False
    for part in header.split(","):
        name, _, value = part.partition(";")[0].partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "wait":
            if not _WAIT.fullmatch(value):
                raise Refused("Prefer: wait must be a number of seconds, such as wait=30.", code="invalid_header")
            wait = min(float(value), longest) if wait is None else wait  # the first one counts
        elif name == "respond-async":
            respond_async = True
    return Preference(wait, respond_async)


class SubmitQuery(Struct):
    """The query of a submission."""

    validate: Annotated[bool, Meta(description="Refuse `data` that does not fit the product, with every fault")] = False


def strict(params: Mapping[str, Any], header: str | None) -> bool:
    """Whether a submission's data is to be checked first: `?validate=true`, or `Prefer: handling=strict`."""
    asked = params.get("validate", "false")
    if asked not in ("true", "false"):
        raise invalid({"validate": "must be true or false"})
    wishes = (header or "").lower().replace(" ", "").replace('"', "").split(",")
    return asked == "true" or any(wish.partition(";")[0] == "handling=strict" for wish in wishes)


def traceparent(header: str | None) -> str | None:
    """The caller's trace (W3C Trace Context), or None when it is not one: a broken trace must not cost a report."""
    return header if header and _TRACEPARENT.fullmatch(header) and header[:2] != "ff" else None


class ListQuery(Struct, forbid_unknown_fields=True):
    """The query of GET /api/jobs."""

    status: Annotated[Status | None, Meta(description="Only jobs in this state")] = None
    code: Annotated[Name | None, Meta(description="Only this report")] = None
    product_id: Annotated[Name | None, Meta(description="Only this product")] = None
    since: Annotated[str | None, Meta(
        description="Only jobs submitted at or after this moment", examples=["2026-11-23T18:00:00Z"],
        extra_json_schema={"format": "date-time"},
    )] = None  # fmt: skip
    cursor: Annotated[
        Annotated[str, Meta(max_length=100)] | None, Meta(description=_NEXT, extra_json_schema={"format": "cursor"})
    ] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Most jobs in a page")] = 50


def list_query(params: Mapping[str, Any]) -> ListQuery:
    """The parsed parameters; raises Refused naming each one that cannot be used."""
    specs = {spec.encode_name: spec for spec in msgspec.structs.fields(ListQuery)}
    twice = {name[:100]: "is given more than once" for name, value in params.items() if isinstance(value, list)}
    given = {name: value for name, value in params.items() if not isinstance(value, list)}
    if _WHOLE.fullmatch(given.get("limit", "")):
        given["limit"] = int(given["limit"])
    errors = faults(given, ListQuery, query=True) | twice
    usable = [name for name in given if name in specs and name not in errors]
    chosen = {name: msgspec.convert(given[name], specs[name].type) for name in usable}
    query = ListQuery(**chosen)
    if query.since is not None and moment_of(query.since) is None:
        errors["since"] = "must be a moment with its time zone, such as 2026-11-23T18:00:00Z"
    if query.cursor is not None and after_cursor(query.cursor) is None:
        errors["cursor"] = "is not a cursor of this list"
    if errors:
        raise invalid(errors)
    return query


class BatchQuery(Struct, forbid_unknown_fields=True):
    """The query string of GET /api/batches/{batch_id}."""

    cursor: Annotated[
        Annotated[str, Meta(pattern=r"^[0-9]{1,5}$(?!\n)", extra=_NO_CURSOR)] | None, Meta(description=_NEXT)
    ] = None


class BatchesQuery(Struct, forbid_unknown_fields=True):
    """The query string of GET /api/batches."""

    cursor: Annotated[
        Annotated[str, Meta(pattern=r"^bat_[0-9A-HJKMNP-TV-Z]{26}$(?!\n)", extra=_NO_CURSOR)] | None,
        Meta(description=_NEXT),
    ] = None


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
    since: Annotated[str, _SINCE] | None = None
    cursor: Annotated[Word | None, Meta(description=_NEXT)] = None


def read_query(params: Mapping[str, Any], kind: type[T]) -> T:
    """A query string as `kind`; raises Refused("invalid_request")."""
    given = {name: v if isinstance(v, str) else v[-1] for name, v in params.items()}
    if errors := faults(given, kind, query=True):
        raise invalid(errors)
    return msgspec.convert(given, kind)


def letters_meant(asked: LettersAct, now: datetime) -> LetterFilter:
    """The selection of a body; one that names neither ids nor a filter is refused."""
    if not asked.ids and asked.filter is None:
        raise Refused("Name `ids`, or a `filter`; an empty filter {} means every open letter.", code="invalid_request")
    given = asked.filter or Filter()
    return _letters(given, now, ids=asked.ids, job_ids=given.job_ids)


def letters_asked(query: LettersQuery, now: datetime) -> LetterFilter:
    """The selection of a query string."""
    return _letters(query, now, status=query.status, job_ids=[query.job_id] if query.job_id else ())


def _letters(given: Filter | LettersQuery, now: datetime, **more: Any) -> LetterFilter:
    same = {name: getattr(given, name) for name in ("code", "product_id", "error", "fingerprint", "queue", "kind")}
    return LetterFilter(since=letter_search.moment_of(given.since, now) if given.since else None, **same, **more)


prepare(__name__)
