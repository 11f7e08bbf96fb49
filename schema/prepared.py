"""Structs made ready to be decoded while their module is imported.

msgspec plans a struct when it is first decoded, and shows the plan to other threads before it is finished. Without this
module, two threads that decode a struct first at once crash the interpreter. An import is one thread's work.
"""

import sys

import msgspec


def prepare(module: str, *others: type) -> None:
    """Make all structs that the module defines ready, and `others`; stands at the end of each such module."""
    defined = [
        kind
        for kind in vars(sys.modules[module]).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == module
    ]
    for kind in (*defined, *others):
        msgspec.json.Decoder(kind)
