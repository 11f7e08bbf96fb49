"""What callers send, as validated structs; a request that does not fit is refused with every field at fault named."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from schema.allow_list import AllowList
from schema.callback_urls import check_literal
from schema.errors import Refused

T = TypeVar("T")

MAX_DEPTH = 64
MAX_META = 8192  # bytes of JSON: it is echoed in every callback

_NAME = r"^[^\x00-\x1f\x7f]+$(?!\n)"  # "$" alone would let a last newline pass
_SHOWN = {"pattern": r"^[^\x00-\x1f\x7f]+$"}  # the same in the description: "$" is strict there
Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=_NAME, extra_json_schema=_SHOWN)]
Url = Annotated[
    str,
    Meta(
        min_length=1, max_length=2048, examples=["https://n8n.example.com/webhook/pdf-complete"],
        extra_json_schema={"format": "callback-url", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"},
    ),
]  # fmt: skip
_MOST_NAMED = 50  # faults listed in one answer
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Submission(
    Struct, forbid_unknown_fields=True, rename={"product_id": "productId", "failure_callback": "failureCallback"}
):
    """The body of POST /api/reports/generate-async."""

    code: Annotated[Name, Meta(description="The report's identifier", examples=["rb5YrWGWJXOHoj6r"])]
    product_id: Annotated[Name, Meta(description="The product's identifier", examples=["minatBakatUmum"])]
    priority: Annotated[
        Literal["high", "normal", "low"], Meta(description="high: urgent; low: batch work and tests")
    ] = "normal"
    callback: Annotated[Url | None, Meta(description="Told when the job has ended")] = None
    failure_callback: Annotated[Url | None, Meta(description="Told instead when it failed or was cancelled")] = None
    data: Annotated[dict[str, Any] | None, Meta(description="The report's content, when it is not in MongoDB")] = None
    meta: Annotated[Any, Meta(description="Anything; echoed in every callback")] = None


class Replay(Struct, forbid_unknown_fields=True, rename={"failure_callback": "failureCallback"}):
    """The optional body of POST /api/jobs/{job_id}/replay."""

    callback: Url | None = None
    failure_callback: Url | None = None
    why: Annotated[
        Annotated[str, Meta(max_length=500, pattern=_NAME, extra_json_schema=_SHOWN)] | None,
        Meta(description="Kept in the audit"),
    ] = None


class Batch(Struct, forbid_unknown_fields=True):
    """The body of POST /api/reports/batch: all of it is accepted, or nothing."""

    jobs: Annotated[list[Submission], Meta(min_length=1, max_length=5000)]


def read(body: bytes, kind: type[T], allow: AllowList) -> T:
    """The body as `kind`; raises Refused: invalid_json, invalid_request (with `errors`), callback_refused."""
    try:
        request: T = _decoders[kind].decode(body)
    except msgspec.ValidationError:
        raise _named(body, kind) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from None
    if kind is Batch:
        for index, submission in enumerate(request.jobs):  # type: ignore[attr-defined]
            _check(submission, allow, f"jobs[{index}].")
    else:
        _check(request, allow)
    return request


def fingerprint(request: Submission | Batch) -> str:
    """What makes two requests the same request: the validated content, whatever its spelling was."""
    return hashlib.sha256(msgspec.json.encode(request, order="deterministic")).hexdigest()


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


def _check(request: Any, allow: AllowList, where: str = "") -> None:
    for name, value in (("callback", request.callback), ("failureCallback", request.failure_callback)):
        if value is not None:
            try:
                check_literal(value, allow, field=name)
            except Refused as refused:
                raise Refused(refused.detail, code=refused.code, errors={where + name: refused.detail}) from None
    for name in ("data", "meta"):
        value = getattr(request, name, None)
        if value is None:
            continue
        if not _is_sound(value, MAX_DEPTH):
            raise _invalid(
                {where + name: f"must be nested at most {MAX_DEPTH} deep and hold no half surrogates or NUL"}
            )
        if name == "meta" and len(msgspec.json.encode(value)) > MAX_META:
            raise _invalid({where + name: f"may have at most {MAX_META} bytes as JSON"})


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


def _named(body: bytes, kind: type[Any]) -> Refused:
    """Every field at fault, each with what is expected."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        return _not_json(error)
    if not isinstance(raw, dict):
        return Refused("The body must be one JSON object.", code="invalid_request", errors={})
    errors = _faults(raw, kind)
    if kind is Batch and "jobs" in errors and isinstance(raw.get("jobs"), list):
        inside: dict[str, str] = {}
        for index, item in enumerate(raw["jobs"]):
            where = f"jobs[{index}]"
            if isinstance(item, dict):
                inside |= {f"{where}.{name}": what for name, what in _faults(item, Submission).items()}
            else:
                inside[where] = "must be an object"
        if inside:
            del errors["jobs"]
            errors |= dict(list(inside.items())[:_MOST_NAMED])
    return _invalid(errors)


def _faults(raw: dict[str, Any], kind: type[Any]) -> dict[str, str]:
    """Each field of one object that cannot be used, with what is expected."""
    errors: dict[str, str] = {}
    known = msgspec.structs.fields(kind)
    for spec in known:
        if spec.encode_name not in raw:
            if spec.required:
                errors[spec.encode_name] = "is required"
            continue
        try:
            msgspec.convert(raw[spec.encode_name], spec.type)
        except msgspec.ValidationError as error:
            errors[spec.encode_name] = plain(str(error), spec.type)
    names = [spec.encode_name for spec in known]
    for name in raw:
        if name not in names and len(errors) < _MOST_NAMED:
            errors[str(name)[:100]] = f"is not a field; the fields are {', '.join(names)}"
    return errors


def _invalid(errors: dict[str, str]) -> Refused:
    listed = "; ".join(f"{name} {what}" for name, what in errors.items())
    return Refused(f"{listed}.", code="invalid_request", errors=errors)


def plain(message: str, kind: Any) -> str:
    """A validation message of msgspec in the words of ours; `kind` is the field's type."""
    if message.startswith("Invalid enum value"):
        return f"must be one of {', '.join(_words(kind))}"
    message = message.replace(f" matching regex '{_NAME}'", " without control characters").replace("`", "")
    return message.split(" - at")[0].replace("Expected", "must be")


def _words(kind: Any) -> list[str]:
    """The words that a Literal somewhere inside a type allows."""
    if get_origin(kind) is Literal:
        return [str(word) for word in get_args(kind)]
    return [word for inner in get_args(kind) if not isinstance(inner, Meta) for word in _words(inner)]


def _not_json(error: Exception) -> Refused:
    if isinstance(error, RecursionError):
        return Refused(f"The body is nested more than {MAX_DEPTH} deep.", code="invalid_json")
    return Refused(f"The body is not valid JSON: {error}.", code="invalid_json")


_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in (Submission, Replay, Batch)
}
