"""The JSON Schema that a report's data must fit, in time that grows with the data and not with its square.

For `uniqueItems` jsonschema compares every element of a list with every other one. For `unevaluatedItems` and
`unevaluatedProperties` it looks up each element and each key in a list.

JSON Schema cannot compare two values of a report. For that there are four keywords of our own. With `x-ascending`
values must not fall: it lists names, such as `["low", "score", "high"]`; missing ones are ignored. With `x-sum` a
name's value must be the sum of others. With `x-unique` the elements of a list must differ in the named field. The
keyword `x-date` refuses a text that is written like a date and names no day of the calendar.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema._utils import find_evaluated_item_indexes_by_schema, find_evaluated_property_keys_by_schema
from jsonschema.protocols import Validator
from referencing import Registry

from actors.pdf.product.source import dotted, invalid
from actors.pdf.product.values import is_day

_NAMED = 5  # An error names so many keys.
_GREAT = 1e300  # Larger numbers are refused when they are drawn.
_QUOTED, _SHOWN = 60, 200  # Most characters that an error quotes of a wrong value, and shows of a rule.
_TYPES = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def _unique_items(_validator: Validator, wanted: object, instance: object, _schema: Any) -> Iterator[Any]:
    if wanted and isinstance(instance, list) and len(set(map(_written, instance))) < len(instance):
        yield jsonschema.ValidationError("two elements of the list are equal")


def _written(value: object) -> str:
    """The same text for exactly those values that JSON Schema calls equal: 1 is 1.0, true is not 1.

    Somebody can choose numbers whose hashes collide, which fill a set in quadratic time; with texts nobody can.
    """
    return json.dumps(_whole(value), sort_keys=True, default=repr)


def _whole(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    if isinstance(value, Mapping):
        return {key: _whole(inner) for key, inner in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _unevaluated_items(validator: Validator, _allowed: Any, instance: object, schema: Any) -> Iterator[Any]:
    if isinstance(instance, list):
        known = set(find_evaluated_item_indexes_by_schema(validator, instance, schema))
        left = sum(place not in known for place in range(len(instance)))
        if left:
            yield jsonschema.ValidationError(f"unevaluated elements are not allowed ({left} found)")


def _unevaluated_properties(validator: Validator, _allowed: Any, instance: object, schema: Any) -> Iterator[Any]:
    if isinstance(instance, Mapping):
        known = set(find_evaluated_property_keys_by_schema(validator, instance, schema))
        left = [key for key in instance if key not in known]
        if left:
            yield jsonschema.ValidationError(f"unevaluated properties are not allowed: {', '.join(left[:_NAMED])}")


def _ascending(_validator: Validator, rules: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    for names in rules if isinstance(instance, Mapping) else ():
        given = [(name, at) for name in names if (at := _ordered(instance.get(name))) is not None]
        for (before, low), (name, value) in pairwise(given):
            if type(low) is type(value) and value < low:
                yield jsonschema.ValidationError(f"must not be less than {before}", path=[name])


def _ordered(value: object) -> Any:
    """A number, or a date that sorts as a text; anything else is not compared."""
    if isinstance(value, str):
        return value[:10] if is_day(value[:10]) and value[:1].isdigit() else None
    return float(value) if isinstance(value, (int, float)) and abs(value) < _GREAT else None


def _sum(_validator: Validator, rules: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    for name, parts in rules.items() if isinstance(instance, Mapping) else ():
        values = [instance.get(part) for part in (name, *parts)]
        if all(isinstance(value, (int, float)) for value in values) and values[0] != sum(values[1:]):
            yield jsonschema.ValidationError(f"must be the sum of {' and '.join(parts)}", path=[name])


def _unique_field(_validator: Validator, field: Any, instance: object, _schema: Any) -> Iterator[Any]:
    seen: set[str] = set()
    for place, element in enumerate(instance if isinstance(instance, list) else ()):
        written = _written(element[field]) if isinstance(element, Mapping) and field in element else None
        if written is not None and written in seen:
            yield jsonschema.ValidationError("another element has the same value", path=[place, field])
        seen.add(written or "")


def _date(_validator: Validator, wanted: object, instance: object, _schema: Any) -> Iterator[Any]:
    if wanted and isinstance(instance, str) and not is_day(instance):
        yield jsonschema.ValidationError("there is no such day")


LinearValidator = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {
        "uniqueItems": _unique_items,
        "unevaluatedItems": _unevaluated_items,
        "unevaluatedProperties": _unevaluated_properties,
        "x-ascending": _ascending,
        "x-sum": _sum,
        "x-unique": _unique_field,
        "x-date": _date,
    },
)


def read_schema(path: Path) -> Validator:
    """The checker of a schema.json; raises Permanent(template_invalid) for what is no JSON Schema."""
    if not path.exists():
        raise invalid(path, 1, "the JSON Schema of the report's data is missing")
    try:
        source = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise invalid(path, getattr(error, "lineno", 1), f"not JSON: {error}") from error
    try:
        jsonschema.Draft202012Validator.check_schema(source)
    except jsonschema.SchemaError as error:
        raise invalid(path, 1, f"not a JSON Schema: {error.message} at {error.json_path}") from error
    validator: Validator = LinearValidator(source, registry=Registry())  # fetches nothing
    return validator


def faults(validator: Validator, data: Any) -> Iterator[tuple[str, str]]:
    """Each place where the data does not fit, with what was expected there; raises Unresolvable for a lost $ref."""
    for error in validator.iter_errors(data):
        yield dotted(tuple(error.absolute_path)), _expected(error)


def _expected(error: jsonschema.ValidationError) -> str:
    """What the schema expected. Only a short value is quoted, because a long one may be somebody's test results."""
    if error.validator == "type":
        wanted: Any = error.validator_value
        names: list[str] = [wanted] if isinstance(wanted, str) else list(wanted)
        return f"expected {' or '.join(names)}, found {_TYPES.get(type(error.instance), 'a number')}"
    if len(str(error.instance)) <= _QUOTED or error.validator == "required" or str(error.validator).startswith("x-"):
        return _short(error.message)
    return f"does not satisfy {error.validator}: {_short(str(error.validator_value))}"


def _short(message: str) -> str:
    return message if len(message) <= _SHOWN else f"{message[:_SHOWN]} …"
