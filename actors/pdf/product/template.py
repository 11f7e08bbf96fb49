"""Reading a product's folder: template.yaml, texts.yaml and schema.json, with errors that say where.

Everything is checked before anything is drawn: the blocks' types, every Jinja text, the names of scales, the files of
images.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import msgspec
import yaml
from jinja2 import TemplateError, TemplateSyntaxError
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from actors.pdf.product import measure
from actors.pdf.product.blocks import Layout, Scale
from actors.pdf.product.claims import DRAWN, Use, unfounded, used
from actors.pdf.product.filters import filters_of
from actors.pdf.product.report_schema import LinearValidator
from actors.pdf.product.values import Expressions
from actors.pdf.product.wording import LANGUAGES, language_of
from schema.errors import Permanent

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
EXPRESSIONS = {"rows", "items", "value", "test", "low", "high", "reference"}
LITERALS = {"block", "each", "style", "align", "scale", "meter", "file", "language"}
QUOTED = 60  # characters of a wrong value that an error may quote
IGNORED_KEYS = ("_id", "code", "product_id", "pdf_generation")
_PATH = re.compile(r"\$(\S*)")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def invalid(path: Path, line: int, detail: str) -> Permanent:
    """The error for a template that cannot be used: the place, and what was expected there."""
    return Permanent(
        f"{path.parent.name}/{path.name}, line {line}: {detail}",
        code="template_invalid",
        file=path.name,
        line=line,
    )


class _Lines:
    """The line of every node of a YAML file, by path."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str | int, ...], int] = {}
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            self._walk(node, ())

    def _walk(self, node: yaml.Node, path: tuple[str | int, ...]) -> None:
        self._lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._walk(value, (*path, key.value))
                self._lines[(*path, key.value)] = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode):
            for place, value in enumerate(node.value):
                self._walk(value, (*path, place))

    def of(self, path: tuple[str | int, ...]) -> int:
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


def _steps(path: str) -> tuple[str | int, ...]:
    return tuple(int(index) if index else key for key, index in _STEP.findall(path))


def _dotted(path: tuple[str | int, ...]) -> str:
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return shown.lstrip(".") or "(top)"


def _read_yaml(path: Path) -> tuple[Any, _Lines]:
    try:
        text = path.read_text("utf-8")
        return yaml.safe_load(text), _Lines(text)
    except UnicodeDecodeError as error:
        raise invalid(path, 1, f"the file is not UTF-8 ({error.reason})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise invalid(path, line, f"not YAML: {getattr(error, 'problem', None) or error}") from error


def _version(folder: Path) -> str:
    """The first 12 hex digits of a hash over the names and bytes of the folder's files."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        content = file.read_bytes()
        digest.update(f"{file.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


class Template:
    """A product's template, ready to be filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.product = folder.name
        self.path = folder / "template.yaml"
        self.version = _version(folder)
        source, self._lines = _read_yaml(self.path)
        try:
            self.layout: Layout = msgspec.convert(source, Layout)
        except msgspec.ValidationError as error:
            raise self._misshapen(error) from error
        self.expressions = Expressions(filters_of(self.layout.scales))
        self._uses: list[tuple[int, Use]] = []  # with their lines
        self.texts = self._read_texts()
        self._check(source)
        self._validator = self._read_schema()

    def unfounded(self) -> list[Permanent]:
        """What the template says of scores without a ground for it: errors that `templates check` shows."""
        lines = {use: line for line, use in self._uses}
        return [
            invalid(self.folder / use.file, lines[use], f"{_dotted(use.path)}: {detail}")
            for use, detail in unfounded(lines, self.layout.scales)
        ]

    def _misshapen(self, error: msgspec.ValidationError) -> Permanent:
        message = str(error)
        found = _PATH.search(message)
        path = _steps(found.group(1).rstrip("`")) if found else ()
        reason = message.split(" - at ")[0]
        return self.invalid(path, reason)

    def invalid(self, path: tuple[str | int, ...], detail: str) -> Permanent:
        """An error at a place of template.yaml."""
        return invalid(self.path, self._lines.of(path), f"{_dotted(path)}: {detail}")

    def _read_texts(self) -> Mapping[str, Any]:
        path = self.folder / "texts.yaml"
        if not path.exists():
            return {}
        source, lines = _read_yaml(path)
        if not isinstance(source, dict):
            raise invalid(path, 1, "expected names with texts below them")
        for place, text in _strings(source, ()):
            try:
                self.expressions.check(text, expression=False)
            except TemplateError as error:
                raise invalid(path, lines.of(place), f"{_dotted(place)}: {_reason(error)}") from error
            self._note(text, path.name, place, lines.of(place), expression=False)
        return source

    def _check(self, source: Any) -> None:
        if language_of(self.layout.language) is None:
            raise self.invalid(
                ("language",), f"{self.layout.language!r} is not one of {', '.join(LANGUAGES)}, or one with a region"
            )
        try:
            self.zone = ZoneInfo(self.layout.time_zone) if self.layout.time_zone else None
        except (ValueError, OSError, KeyError) as error:
            raise self.invalid(
                ("time_zone",), f"there is no time zone {self.layout.time_zone!r}; one is Asia/Jakarta"
            ) from error
        for name, scale in self.layout.scales.items():
            self._check_scale(name, scale)
        for path, text in _strings(source.get("blocks"), ("blocks",)):
            field = path[-1]
            if field in ("scale", "meter") and text and text not in self.layout.scales:
                known = ", ".join(sorted(self.layout.scales)) or "none"
                raise self.invalid(path, f"there is no scale named {text!r} (scales: {known})")
            if field == "file":
                self._check_file(path, text)
            if field in DRAWN and text:
                self._uses.append((self._lines.of(path), used(field, [text], {}, self.path.name, path)))
            if field in LITERALS:
                continue
            self._check_text(path, text, expression=field in EXPRESSIONS)
        for field in ("title", "subject", "header", "author"):
            self._check_text((field,), getattr(self.layout, field), expression=False)

    def _check_text(self, path: tuple[str | int, ...], text: str, *, expression: bool) -> None:
        if path[-1] == "value" and "details" in path:
            expression = False
        try:
            self.expressions.check(text, expression=expression)
        except TemplateSyntaxError as error:
            line = self._lines.of(path) + (error.lineno - 1 if not expression else 0)
            raise invalid(self.path, line, f"{_dotted(path)}: {error.message}") from error
        except TemplateError as error:
            raise self.invalid(path, _reason(error)) from error
        self._note(text, self.path.name, path, self._lines.of(path), expression=expression)

    def _note(self, text: str, file: str, path: tuple[str | int, ...], line: int, *, expression: bool) -> None:
        for name, args, named in self.expressions.filters_in(text, expression=expression):
            self._uses.append((line, used(name, args, named, file, path)))

    def _check_scale(self, name: str, scale: Scale) -> None:
        ends, low, high = [band.upto for band in scale.bands], scale.low, scale.high
        if not low < high:
            raise self.invalid(("scales", name), f"low ({low:g}) must be below high ({high:g})")
        if wrong := _mismeasured(scale):
            raise self.invalid(("scales", name), wrong)
        if ends != sorted(set(ends)) or ends[0] <= low or ends[-1] != high:
            raise self.invalid(
                ("scales", name, "bands"), f"the `upto` of the bands must rise and end at high ({high:g})"
            )

    def _check_file(self, path: tuple[str | int, ...], name: str) -> None:
        from actors.pdf.product.picture import PictureError, picture  # late: the API reads templates without pictures

        file = (self.folder / name).resolve()
        if not file.is_relative_to(self.folder.resolve()) or not file.is_file():
            raise self.invalid(path, f"there is no file {name!r} in the template's folder")
        try:
            picture(self.folder / name)
        except PictureError as error:
            raise self.invalid(path, str(error)) from error

    def _read_schema(self) -> Validator:
        path = self.folder / "schema.json"
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

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema that a report's data must fit."""
        assert isinstance(self._validator.schema, Mapping)
        return self._validator.schema

    def checked(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """The report's data as far as the template names it; raises Permanent(invalid_data) naming path and rule.

        Each text and each expression gets a copy of the data; what the template does not name would be copied with it.
        """
        for where, expected in self.errors(report):
            raise Permanent(
                f"The report's data does not fit {self.product}: {where}: {expected}", code="invalid_data", path=where
            )
        return {key: report[key] for key in report if key in self.expressions.words and key not in IGNORED_KEYS}

    def errors(self, report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Each place where the data does not fit the schema, with what was expected there; found as it is asked for."""
        data = {key: value for key, value in report.items() if key not in IGNORED_KEYS}
        try:
            for error in self._validator.iter_errors(data):
                yield _dotted(tuple(error.absolute_path)), _expected(error)
        except Unresolvable as missing:
            raise invalid(self.folder / "schema.json", 1, f"a $ref leads nowhere: {missing}") from missing


_JSON_TYPES = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def _expected(error: jsonschema.ValidationError) -> str:
    """What the schema expected. Only a short value is quoted, because a long one may be somebody's test results."""
    if error.validator == "type":
        wanted: Any = error.validator_value
        names: list[str] = [wanted] if isinstance(wanted, str) else list(wanted)
        return f"expected {' or '.join(names)}, found {_JSON_TYPES.get(type(error.instance), 'a number')}"
    if len(str(error.instance)) <= QUOTED or error.validator == "required" or str(error.validator).startswith("x-"):
        return _short(error.message)
    return f"does not satisfy {error.validator}: {_short(str(error.validator_value))}"


def _mismeasured(scale: Scale) -> str:
    """What contradicts itself in how a scale says that it measures."""
    least, most = measure.ends(scale)
    if scale.kind == "norm" and not all(band.label for band in scale.bands):
        return "every band needs a `label`; only the bands of `kind: raw` may go without"
    if not scale.low <= least < most <= scale.high:
        return f"min ({least:g}) must be below max ({most:g}), and both lie between low and high"
    if scale.mean is not None and not least < scale.mean < most:
        return f"the mean ({scale.mean:g}) must lie between min ({least:g}) and max ({most:g})"
    if scale.norm == "unknown" or scale.mean is scale.sd is scale.reliability is None:
        return ""
    if scale.sd is None or scale.reliability is None:
        return "`sd` and `reliability` belong together"
    if scale.kind == "norm" and (scale.mean is None or scale.norm is None):
        return "`mean` and `norm` are missing: name the norm group, or write `norm: unknown` or `kind: raw`"
    return ""


def _short(message: str, limit: int = 200) -> str:
    return message if len(message) <= limit else f"{message[:limit]} …"


def _reason(error: TemplateError) -> str:
    return error.message or type(error).__name__


def _strings(node: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _strings(value, (*path, str(key)))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _strings(value, (*path, place))
