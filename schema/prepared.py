"""Structs made ready to be decoded while their module is imported.

msgspec makes a struct's plan when the struct is first decoded, and shows it to other threads before it is whole: two that
meet a struct for the first time at once crash the interpreter. An import is one thread's work, whoever waits for it.
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
