"""The JSON Schema that a report's data must fit, in time that grows with the data and not with its square.

For `uniqueItems` jsonschema compares every element of a list with every other one. For `unevaluatedItems` and
`unevaluatedProperties` it looks up each element and each key in a list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema._utils import find_evaluated_item_indexes_by_schema, find_evaluated_property_keys_by_schema
from jsonschema.protocols import Validator

_NAMED = 5  # keys that an error names


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


LinearValidator = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {
        "uniqueItems": _unique_items,
        "unevaluatedItems": _unevaluated_items,
        "unevaluatedProperties": _unevaluated_properties,
    },
)
