"""What all bodies of requests have in common: a field that is not known is refused, and null means "as if not given"."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Optional, TypeVar

import msgspec
from msgspec import NODEFAULT, Struct

from schema.prepared import prepare

T = TypeVar("T")

if TYPE_CHECKING:
    OrNull = Annotated[T, "null in the body, never in the struct"]
else:
    OrNull = Optional


class Body(Struct, forbid_unknown_fields=True):
    """One body. An optional field whose default is not null is `OrNull`: null in the body becomes the default."""

    def __post_init__(self) -> None:
        for name, default in defaulted(type(self)):
            if getattr(self, name) is None:
                setattr(self, name, default())


@cache
def defaulted(kind: Any) -> tuple[tuple[str, Callable[[], Any]], ...]:
    """The fields of a struct that have a default other than null, with what makes it."""
    found = []
    for spec in msgspec.structs.fields(kind):
        if spec.default_factory is not NODEFAULT:
            found.append((spec.name, spec.default_factory))
        elif spec.default is not NODEFAULT and spec.default is not None:
            found.append((spec.name, lambda value=spec.default: value))
    return tuple(found)


prepare(__name__)
