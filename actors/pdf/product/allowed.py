"""What may stand at a place of a template: an error lists it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import inspect

from actors.pdf.product.source import Place


def located(kind: type, content: Any, place: Place) -> tuple[Place, Sequence[str]]:
    """The place with the names that msgspec calls `...`, and what may stand there.

    It is the fields of a struct, the words of a choice, or the names of the blocks; nothing where any value is allowed.
    """
    here, exact = inspect.type_info(kind), list[str | int]()
    for step in place:
        here = _chosen(here, content)
        inner = dict(enumerate(content)) if isinstance(content, list) else content
        match here:
            case inspect.StructType():
                here = next((field.type for field in here.fields if field.encode_name == step), here)
            case inspect.ListType():
                here = here.item_type
            case inspect.DictType():
                here = here.value_type
                wanted = here.cls if isinstance(here, inspect.StructType) else str
                step = next((name for name, one in inner.items() if not _fits(one, wanted)), step)
        exact.append(step)
        content = inner.get(step) if isinstance(inner, dict) else None
    return tuple(exact), _words(_chosen(here, content))


def _fits(content: Any, kind: type) -> bool:
    try:
        msgspec.convert(content, kind)
    except msgspec.ValidationError:
        return False
    return True


def _chosen(kind: inspect.Type, content: Any) -> inspect.Type:
    """Of several types the one that a mapping means, if that can be told."""
    if not isinstance(kind, inspect.UnionType) or not isinstance(content, dict):
        return kind
    structs = [one for one in kind.types if isinstance(one, inspect.StructType)]
    return next((one for one in structs if len(structs) == 1 or one.tag == content.get("block")), kind)


def _words(kind: inspect.Type) -> Sequence[str]:
    match kind:
        case inspect.StructType():
            return [field.encode_name for field in kind.fields]
        case inspect.LiteralType():
            return [str(value) for value in kind.values]
        case inspect.DictType():
            return _words(kind.key_type)
        case inspect.UnionType():
            tags = [str(one.tag) for one in kind.types if isinstance(one, inspect.StructType) and one.tag]
            others = (one for one in kind.types if not isinstance(one, inspect.StructType))
            return tags or [word for one in others for word in _words(one)]
        case _:
            return []
