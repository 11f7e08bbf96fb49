"""What callers send, as validated structs; a request that does not fit is refused with every field at fault named."""

import hashlib
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from schema.callbacks.allow_list import AllowList
from schema.callbacks.urls import check_literal
from schema.errors import Refused
from schema.http.bodies import Body, OrNull
from schema.http.faults import MAX_DEPTH, invalid, not_json, not_valid
from schema.prepared import prepare
from schema.rows import passwords

T = TypeVar("T", bound=Struct)

_NOTHING = AllowList()  # kinds without callbacks need none
MAX_META = 8192  # bytes of JSON: it is echoed in every callback

_NAME = r"^[^\x00-\x1f\x7f]+$(?!\n)"  # "$" alone would let a last newline pass
_WORDS = {"words": "must be text without control characters, such as line breaks"}
Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=_NAME, extra=_WORDS)]
Url = Annotated[str, Meta(
    min_length=1, max_length=2048, examples=["https://n8n.example.com/webhook/pdf-complete"],
    extra_json_schema={"format": "callback-url", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"},
)]  # fmt: skip
# Readers disagree about how other characters become bytes, and a blank at an end is never seen.
Password = Annotated[str, Meta(
    min_length=1, max_length=127, pattern=r"^[!-~]([ -~]*[!-~])?$(?!\n)",
    extra={"words": "must be printable ASCII characters, without a blank at either end"},
    extra_json_schema={"format": "password", "writeOnly": True},
)]  # fmt: skip
_PLAIN = Meta(
    max_length=500, pattern=_NAME, extra={"words": "must not be empty nor hold control characters, such as line breaks"}
)
Word = Annotated[str, Meta(min_length=1, max_length=255)]
Why = Annotated[str, Meta(max_length=500)]
Ids = Annotated[list[Word], Meta(max_length=1000)]
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Submission(
    Body, rename={"product_id": "productId", "failure_callback": "failureCallback", "file_name": "fileName"}
):
    """The body of POST /api/reports/generate-async."""

    code: Annotated[Name, Meta(description="The report's identifier", examples=["rb5YrWGWJXOHoj6r"])]
    product_id: Annotated[Name, Meta(description="The product's identifier", examples=["minatBakatUmum"])]
    priority: Annotated[
        OrNull[Literal["high", "normal", "low"]], Meta(description="high: urgent; low: batch work and tests")
    ] = "normal"
    callback: Annotated[Url | None, Meta(description="Told when the job has ended")] = None
    failure_callback: Annotated[Url | None, Meta(description="Told instead when it failed or was cancelled")] = None
    # Not null but absent without a value: a fingerprint of before these fields stays what it was.
    file_name: Annotated[OrNull[Name] | UnsetType, Meta(description="What the PDF is called", examples=["Ani.pdf"])] = (
        UNSET
    )
    password: Annotated[OrNull[Password] | UnsetType, Meta(description="Needed to open the PDF (AES-256)")] = UNSET
    data: Annotated[dict[str, Any] | None, Meta(description="The report's content, when it is not in MongoDB")] = None
    meta: Annotated[Any, Meta(description="Anything; echoed in every callback")] = None


class Replay(Body, rename={"failure_callback": "failureCallback"}):
    """The optional body of POST /api/jobs/{job_id}/replay."""

    callback: Url | None = None
    failure_callback: Url | None = None
    why: Annotated[Annotated[str, _PLAIN] | None, Meta(description="Kept in the audit")] = None


class Link(Body):
    """The optional body of POST /api/jobs/{job_id}/links."""

    expires_in: Annotated[
        OrNull[Annotated[int, Meta(ge=60, le=7_776_000)]], Meta(description="Seconds; at most 90 days")
    ] = 604_800
    uses: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)] | None, Meta(description="Downloads; null: as many as wanted")
    ] = None


class Check(Body):
    """The body of POST /api/products/{product_id}/validate."""

    data: Annotated[dict[str, Any], Meta(description="What would be the `data` of a request")]


class Preview(Body):
    """The body of POST /api/products/{product_id}/preview."""

    data: Annotated[dict[str, Any] | None, Meta(description="What to draw; by default the product's sample")] = None


class Batch(Body, rename={"failure_callback": "failureCallback"}):
    """The body of POST /api/reports/batch: all of it is accepted, or nothing."""

    jobs: Annotated[list[Submission], Meta(min_length=1, max_length=5000)]
    callback: Annotated[Url | None, Meta(description="Told once, when all of its jobs have ended")] = None
    failure_callback: Annotated[
        Url | None, Meta(description="Told instead when one of its jobs failed or was cancelled")
    ] = None
    meta: Annotated[Any, Meta(description="Anything; echoed in the batch's callback")] = None


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


class Resend(Body):
    """The optional body of resending a callback."""

    force: OrNull[bool] = False
    why: Why | None = None


def read(body: bytes, kind: type[T], allow: AllowList = _NOTHING) -> T:
    """The body as `kind`; raises Refused: invalid_json, invalid_request (with `errors`), callback_refused."""
    try:
        request = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise not_valid(body, kind, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_json(body, error) from None
    if isinstance(request, Batch):
        for index, submission in enumerate(request.jobs):
            _check(submission, allow, f"jobs[{index}].")
    if isinstance(request, Submission | Replay | Check | Preview | Batch):
        _check(request, allow)
    return request


def fingerprint(request: Submission | Batch, keys: Sequence[str] = ()) -> str:
    """What makes two requests the same request: the validated content, whatever its spelling was.

    `keys` mark passwords (schema/rows/passwords.py): none can be guessed from it.
    """
    if isinstance(request, Batch):
        request = msgspec.structs.replace(request, jobs=[_marked(one, keys) for one in request.jobs])
    else:
        request = _marked(request, keys)
    return hashlib.sha256(msgspec.json.encode(request, order="deterministic")).hexdigest()


def _marked(one: Submission, keys: Sequence[str]) -> Submission:
    return msgspec.structs.replace(one, password=passwords.mark(keys, one.password)) if one.password else one


def idempotency_key(header: str | None, owner: str) -> str | None:
    """The header as a column value: scoped to the caller, hashed, so that no caller meets another's keys."""
    if header is None:
        return None
    if not _KEY.fullmatch(header):
        raise Refused(
            "Idempotency-Key must be 1 to 255 printable ASCII characters without spaces.", code="invalid_header"
        )
    return hashlib.sha256(f"{owner}\0{header}".encode()).hexdigest()


def derived(key: str, part: str) -> str:
    """A column value for one part of what was asked under an idempotency key."""
    return hashlib.sha256(f"{key}\0{part}".encode()).hexdigest()


def _check(request: Submission | Replay | Check | Preview | Batch, allow: AllowList, where: str = "") -> None:
    for name, column in (("callback", "callback"), ("failureCallback", "failure_callback")):
        if (value := getattr(request, column, None)) is not None:
            try:
                check_literal(value, allow, field=name)
            except Refused as refused:
                named = {"errors": {where + name: refused.detail}, "next_step": refused.fields["next_step"]}
                raise Refused(refused.detail, code=refused.code, **named) from None
    for name in ("data", "meta"):
        value = getattr(request, name, None)
        if value is None:
            continue
        if not _is_sound(value, MAX_DEPTH):
            deep = f"may be nested at most {MAX_DEPTH} deep"
            odd = "must hold no character \\u0000 and no half of a surrogate pair (\\uD800 to \\uDFFF)"
            raise invalid({where + name: deep if _is_deep(value, MAX_DEPTH) else odd})
        if name == "meta" and len(msgspec.json.encode(value)) > MAX_META:
            raise invalid({where + name: f"may have at most {MAX_META} bytes as JSON"})


def _is_sound(value: Any, depth: int) -> bool:
    """No deeper than allowed, and every text can be stored and sent again."""
    if depth < 0:
        return False
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    if isinstance(value, dict):
        return all(_is_sound(k, depth) and _is_sound(v, depth - 1) for k, v in value.items())
    if isinstance(value, list):
        return all(_is_sound(v, depth - 1) for v in value)
    return True


def _is_deep(value: Any, depth: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth < 0 or any(_is_deep(v, depth - 1) for v in inner)


prepare(__name__)
