"""Why a body or a query cannot be used, in words for people who write no Python: every field at fault, and what it needs.

The validator's own messages speak of its types ("Expected `str | null`, got `int`"); nothing of them is shown. Faults
are searched one by one, and only as many as the answer names. So a refusal costs no more than the request.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from schema.errors import Refused
from schema.http.bodies import Body, defaulted

MAX_DEPTH = 64
_MOST_NAMED = 50  # faults listed in one answer
_KINDS = {
    "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "null": "null",
    "object": "an object", "array": "a list",
}  # fmt: skip
_GIVEN = {**_KINDS, "int": "a number", "float": "a number with decimals", "bool": "true/false"}
_MESSAGE = re.compile(r"Expected `([^`]*)`(?: (?!- at)(.*?))?(?:, got `(\w+)`)?(?: - at `\$(.*)`)?", re.DOTALL)
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_RETURN = "and send the request again"


def invalid(errors: dict[str, str]) -> Refused:
    """The refusal that names each field at fault, or the first fifty of more."""
    named = dict(islice(errors.items(), _MOST_NAMED))
    listed = "; ".join(f"{name} {what}" for name, what in named.items())
    more = "; more is wrong than these" if len(errors) > len(named) else ""
    return Refused(f"{listed}{more}.", code="invalid_request", errors=named)


def not_valid(body: bytes, kind: type[Any], error: msgspec.ValidationError) -> Refused:
    """Why a body that is JSON does not fit `kind`."""
    try:
        raw = msgspec.json.decode(body)
        if not isinstance(raw, dict):
            given = _GIVEN[_kind_of(raw)]
            return Refused(
                f"The body must be one JSON object, not {given}.",
                code="invalid_request",
                next_step=f'Write the body as one object in braces, {{"name": "value"}}, {_RETURN}.',
            )
        return invalid(faults(raw, kind) or {"body": plain(str(error), kind)})
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        return not_json(body, broken)


def not_json(body: bytes, error: Exception) -> Refused:
    """Why a body cannot be decoded at all."""
    if isinstance(error, RecursionError):
        return Refused(
            f"The body is nested more than {MAX_DEPTH} deep.",
            code="invalid_request",
            next_step=f"Nest lists and objects at most {MAX_DEPTH} deep {_RETURN}.",
        )
    if not body.strip():
        return Refused("The body is empty.", code="invalid_json")
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        return Refused(
            f"The body is not UTF-8: what stands at byte {wrong.start} (0x{body[wrong.start]:02X}) is no character.",
            code="invalid_json",
        )
    said = str(error).split(" - at")[0].removeprefix("JSON is malformed: ")
    if said == "Input data was truncated":
        said = (
            "half of a surrogate pair (\\uD8… to \\uDF…) is no character" if _HALF.search(body) else "it ends too early"
        )
    return Refused(f"The body is not valid JSON: {said[:1].lower()}{said[1:]}.", code="invalid_json")


def faults(raw: Mapping[str, Any], kind: type[Any], *, query: bool = False) -> dict[str, str]:
    """Each field of one object (or parameter of a query) that cannot be used, with what is expected.

    When there are many, only the first ones: one more than `invalid` names.
    """
    return dict(islice(_faults(raw, kind, query), _MOST_NAMED + 1))


def _faults(raw: Mapping[str, Any], kind: Any, query: bool = False) -> Iterator[tuple[str, str]]:
    known = _fields(kind)
    for name, field in known.items():
        if name in raw:
            if raw[name] is not None or not field.null:
                yield from _faults_of(name, raw[name], field.kind, query)
        elif field.required:
            yield name, "is required"
    what = "parameter" if query else "field"
    for given in raw:
        if given not in known:
            yield str(given)[:100], f"is not a {what}; the {what}s are {', '.join(known)}"


def _faults_of(name: str, value: Any, kind: Any, query: bool) -> Iterator[tuple[str, str]]:
    inside = _inside(name, value, kind)
    first = next(inside, None)
    if first is not None:
        yield first
        yield from inside
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = _MESSAGE.fullmatch(str(error))
        yield name + ((found and found[4]) or ""), plain(str(error), kind, query=query)


def _inside(name: str, value: Any, kind: Any) -> Iterator[tuple[str, str]]:
    """The faults of an object, or of a list of objects, each under its whole name."""
    struct = next((part for part in _parts(kind) if isinstance(part, type) and issubclass(part, Struct)), None)
    if struct is None:
        return
    many = any(get_origin(part) is list for part in _parts(kind))
    if many and not isinstance(value, list):
        return
    for index, item in enumerate(value if many else [value]):
        where = f"{name}[{index}]" if many else name
        if isinstance(item, dict):
            try:
                msgspec.convert(item, struct)  # most items of a batch are right
            except msgspec.ValidationError:
                yield from ((f"{where}.{inner}", what) for inner, what in _faults(item, struct))
        elif many:
            yield where, "must be an object"


class _Field(NamedTuple):
    kind: Any
    required: bool
    null: bool  # whether null is its default; who sent something else is not told so


@cache
def _fields(struct: Any) -> dict[str, _Field]:
    nulls = [name for name, _ in defaulted(struct)] if issubclass(struct, Body) else []
    return {
        spec.encode_name: _Field(_without_null(spec.type), spec.required, True)
        if spec.name in nulls
        else _Field(spec.type, spec.required, False)
        for spec in msgspec.structs.fields(struct)
    }


def _without_null(kind: Any) -> Any:
    if get_origin(kind) is Annotated:
        return Annotated[(_without_null(kind.__origin__), *kind.__metadata__)]
    return Union[tuple(part for part in get_args(kind) if part is not NoneType)]  # noqa: UP007


def plain(message: str, kind: Any, *, query: bool = False) -> str:
    """A validation message of msgspec in words of ours; `kind` is the field's type. In a query everything is text."""
    if words := [str(word) for part in _parts(kind) if get_origin(part) is Literal for word in get_args(part)]:
        return f"must be one of {', '.join(word for word in words if word != 'None')}"
    found = _MESSAGE.fullmatch(message)
    if found is None:
        return "cannot be used"
    expected, limit, given, path = found.groups()
    if limit is not None:
        return _limited(expected, limit, list(_metas(kind)))
    wanted = " or ".join(_KINDS.get(part, part) for part in expected.split(" | "))
    if not path:
        wanted = _range(wanted, list(_metas(kind)))
    return f"must be {wanted}" + (f", not {_GIVEN.get(given, given)}" if given and not query else "")


def _limited(expected: str, limit: str, metas: list[Meta]) -> str:
    if limit.startswith("matching"):
        return next(
            (str(meta.extra["words"]) for meta in metas if meta.extra and "words" in meta.extra), "is malformed"
        )
    if limit == "of length >= 1":
        return "must not be empty"
    number = limit.rpartition(" ")[2]
    if limit.startswith("of length"):
        items = "characters" if expected.startswith("str") else "items"
        return f"must have at {'most' if '<' in limit else 'least'} {number} {items}"
    return f"must be {_range(_KINDS.get(expected.split(' | ')[0], expected), metas)}"


def _range(wanted: str, metas: list[Meta]) -> str:
    for meta in metas:
        if meta.ge is not None and meta.le is not None and "number" in wanted:
            return wanted.replace("number", f"number from {meta.ge:,} to {meta.le:,}")
    return wanted


def _parts(kind: Any) -> Iterator[Any]:
    """A type and the types it is made of."""
    yield kind
    if get_origin(kind) is not Literal:
        for inner in get_args(kind):
            if not isinstance(inner, Meta):
                yield from _parts(inner)


def _metas(kind: Any) -> Iterator[Meta]:
    for part in _parts(kind):
        yield from (meta for meta in getattr(part, "__metadata__", ()) if isinstance(meta, Meta))


def _kind_of(raw: Any) -> str:
    if raw is None:
        return "null"
    return {bool: "bool", int: "int", float: "float", str: "str", list: "array"}.get(type(raw), "object")
