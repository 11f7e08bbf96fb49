"""A YAML file of a template: its data, the line of each value, and errors that say where something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import yaml

from schema.errors import Permanent

Path = tuple[str | int, ...]


def invalid(file: File, line: int, detail: str) -> Permanent:
    """The error for a template that cannot be used: the place, and what was expected there."""
    return Permanent(
        f"{file.parent.name}/{file.name}, line {line}: {detail}",
        code="template_invalid",
        file=file.name,
        line=line,
    )


class Source:
    """One file, read. Raises Permanent(template_invalid) for what is not UTF-8 or not YAML."""

    def __init__(self, file: File) -> None:
        self.file = file
        self._lines: dict[Path, int] = {}
        try:
            text = file.read_text("utf-8")
            self.data: Any = yaml.safe_load(text)
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except UnicodeDecodeError as error:
            raise invalid(file, 1, f"the file is not UTF-8 ({error.reason})") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            raise invalid(file, line, f"not YAML: {getattr(error, 'problem', None) or error}") from error
        if node is not None:
            self._walk(node, ())

    def _walk(self, node: yaml.Node, path: Path) -> None:
        self._lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._walk(value, (*path, key.value))
                self._lines[(*path, key.value)] = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode):
            for place, value in enumerate(node.value):
                self._walk(value, (*path, place))

    def line(self, path: Path) -> int:
        """The line of a value, or of what holds it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def invalid(self, path: Path, detail: str, *, below: int = 0) -> Permanent:
        """An error at a value of the file, `below` lines further down."""
        return invalid(self.file, self.line(path) + below, f"{dotted(path)}: {detail}")


def dotted(path: Path) -> str:
    """A path as people write it: blocks[1].text."""
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return shown.lstrip(".") or "(top)"


def strings(node: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text below a node, with its path."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from strings(value, (*path, str(key)))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from strings(value, (*path, place))
