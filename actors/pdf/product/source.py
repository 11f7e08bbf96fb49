"""A YAML file of a template: its content and the line of each value, for errors that say where, and what may stand there."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import inspect
from yaml.composer import Composer

from schema.errors import Permanent

Place = tuple[str | int, ...]  # keys and numbers that lead to a value


def invalid(path: Path, line: int, detail: str) -> Permanent:
    """The error for a template that cannot be used: the place, and what was expected there."""
    told = f"{path.parent.name}/{path.name}, line {line}: {detail}"
    return Permanent(told, code="template_invalid", file=path.name, line=line)


class _Loader(Composer, yaml.CSafeLoader):
    """Parses in C, a tenth of the time. It composes in Python: in C, values that lie too deep end the process."""

    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        Composer.__init__(self)


class Source:
    """One file, read. Raises Permanent(template_invalid) for what is not UTF-8 or not YAML."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[Place, int] = {}
        try:
            text = path.read_text("utf-8")
            loader = _Loader(text)
            node = loader.get_single_node()
            self.content: Any = None
            if node is not None:
                self.content = loader.construct_document(node)
                self._walk(node, ())
        except UnicodeDecodeError as error:
            raise invalid(path, 1, f"the file is not UTF-8 ({error.reason})") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = min(mark.line, text.count("\n")) + 1 if mark else 1
            raise invalid(path, line, f"not YAML: {getattr(error, 'problem', None) or error}") from error
        except RecursionError as error:
            raise invalid(path, 1, "an alias stands within what it names, or values lie too deep") from error

    def _walk(self, node: yaml.Node, place: Place) -> None:
        self._lines[place] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._walk(value, (*place, key.value))
                self._lines[(*place, key.value)] = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                self._walk(value, (*place, number))

    def holds(self, place: Place) -> bool:
        """Whether the file says something there."""
        return place in self._lines

    def line(self, place: Place) -> int:
        """The line of a value, or of what holds it."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def invalid(self, place: Place, detail: str, below: int = 0) -> Permanent:
        """An error at a value of the file, `below` lines further down."""
        return invalid(self.path, self.line(place) + below, f"{dotted(place)}: {detail}")


def dotted(place: Place) -> str:
    """A place as people write it: blocks[1].text."""
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return shown.lstrip(".") or "(top)"


def strings(node: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every text below a node, with its place."""
    if isinstance(node, str):
        yield place, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from strings(value, (*place, str(key)))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from strings(value, (*place, number))


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
