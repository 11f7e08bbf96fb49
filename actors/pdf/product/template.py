"""Reading a product's folder: template.yaml, texts.yaml and schema.json, with errors that say where.

Everything is checked before anything is drawn: the blocks' types, every Jinja text, the names of scales, the files of
images. An edition (`edition_of`) takes from another product's folder all that its own does not have.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import TemplateError, TemplateSyntaxError
from referencing.exceptions import Unresolvable

from actors.pdf.product import measure
from actors.pdf.product.blocks import Layout, Scale
from actors.pdf.product.claims import DRAWN, Use, unfounded, used
from actors.pdf.product.filters import filters_of
from actors.pdf.product.report_schema import faults, read_schema
from actors.pdf.product.source import Source, dotted, invalid, strings
from actors.pdf.product.values import Expressions, Texts
from actors.pdf.product.wording import LANGUAGES, language_of
from schema.errors import Permanent

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
EXPRESSIONS = {"rows", "items", "value", "test", "low", "high", "reference"}
LITERALS = {"block", "each", "style", "align", "scale", "meter", "file", "language"}
OWN = ("title", "subject", "header")  # what an edition does not take from its original
IGNORED_KEYS = ("_id", "code", "product_id", "pdf_generation")
UNFIT = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)  # what a text may raise
_PATH = re.compile(r"\$(\S*)")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
Find = Callable[[str], Path | None]


def _steps(path: str) -> tuple[str | int, ...]:
    return tuple(int(index) if index else key for key, index in _STEP.findall(path))


def _stamp(folder: Path) -> tuple[tuple[str, int], ...]:
    return tuple((entry.name, entry.stat().st_mtime_ns) for entry in sorted(folder.iterdir()))


class Template:
    """A product's template, ready to be filled. `find` gives the folder of the product whose edition it is."""

    def __init__(self, folder: Path, find: Find = lambda product_id: None) -> None:
        self.folder = folder
        self.product = folder.name
        self._stamps = {folder: _stamp(folder)}
        self._own = self._original = Source(folder / "template.yaml")
        source = self._own.data
        if isinstance(source, dict) and source.get("edition_of"):
            source = self._merged(source, find)
        self.version = self._version()
        self._texts = Source(path) if (path := self.file("texts.yaml")).exists() else None
        self.texts: Mapping[str, Any] = self._texts.data if self._texts else {}
        if self._texts and not isinstance(self.texts, dict):
            raise invalid(path, 1, "expected names with texts below them")
        try:
            self.layout: Layout = msgspec.convert(self._named(source), Layout)
        except msgspec.ValidationError as error:
            raise self._misshapen(error) from error
        self.expressions = Expressions(filters_of(self.layout.scales))
        self._uses: dict[Use, tuple[Source, int]] = {}  # with their lines
        self._check_texts()
        self._check(source)
        self._validator = read_schema(self.file("schema.json"))

    def _merged(self, own: Mapping[str, Any], find: Find) -> Mapping[str, Any]:
        """The template of the product whose edition this is, with what stands here in place of what stands there."""
        name = own["edition_of"]
        home = find(name) if isinstance(name, str) else None
        if home is None:
            raise self._own.invalid(("edition_of",), f"there is no product {str(name)[:100]!r}")
        self._stamps[home] = _stamp(home)
        self._original = Source(home / "template.yaml")
        found = self._original.data
        if not isinstance(found, dict) or found.get("edition_of"):
            raise self._own.invalid(("edition_of",), f"{name!r} has no blocks of its own")
        for field in OWN:
            if field in found and field not in own:
                raise self._own.invalid((), f"`{field}` is missing: an edition has its own")
        return {**found, **own}

    def current(self, find: Find) -> bool:
        """Whether its files are those that were read."""
        home = find(self.layout.edition_of) if self.layout.edition_of else self.folder
        return home in self._stamps and all(_stamp(folder) == stamp for folder, stamp in self._stamps.items())

    def file(self, name: str) -> Path:
        """A file of the template: its own, or else that of the product whose edition it is."""
        return next((path for folder in self._stamps if (path := folder / name).exists()), self.folder / name)

    def _version(self) -> str:
        """The first 12 hex digits of a hash over the names and bytes of all its files."""
        found = {path.name: path for folder in reversed(self._stamps) for path in folder.iterdir() if path.is_file()}
        digest = hashlib.sha256()
        for path in [
            *(found[name] for name in sorted(found)),
            *(home / self._own.file.name for home in [*self._stamps][1:]),
        ]:
            content = path.read_bytes()
            digest.update(f"{path.name}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()[:12]

    def unfounded(self) -> list[Permanent]:
        """What the template says of scores without a ground for it: errors that `templates check` shows."""
        return [
            invalid(self._uses[use][0].file, self._uses[use][1], f"{dotted(use.path)}: {detail}")
            for use, detail in unfounded(self._uses, self.layout.scales)
        ]

    def _misshapen(self, error: msgspec.ValidationError) -> Permanent:
        message = str(error)
        found = _PATH.search(message)
        path = _steps(found.group(1).rstrip("`")) if found else ()
        reason = message.split(" - at ")[0]
        return self.invalid(path, reason)

    def _source(self, path: tuple[str | int, ...]) -> Source:
        """The file that a value of the template stands in."""
        here = self._own.data if isinstance(self._own.data, dict) else {}
        return self._own if not path or path[0] in here else self._original

    def invalid(self, path: tuple[str | int, ...], detail: str) -> Permanent:
        """An error at a place of template.yaml."""
        return self._source(path).invalid(path, detail)

    def _named(self, source: Any) -> Any:
        """The template with the names of its scales, bands and norms, which may stand among the texts."""
        expressions, scope = Expressions({}), {"teks": Texts(self.texts, lambda text, _: text, {})}

        def named(node: Any) -> Any:
            if isinstance(node, dict):
                return {key: named(value) for key, value in node.items()}
            if isinstance(node, list):
                return [named(value) for value in node]
            return expressions.fill(node, scope) if isinstance(node, str) else node

        if not isinstance(source, dict) or "scales" not in source:
            return source
        try:
            return {**source, "scales": named(source["scales"])}
        except UNFIT as error:
            raise self.invalid(("scales",), str(error)) from error

    def _check_texts(self) -> None:
        found = self._texts
        if found is None:
            return
        places = dict(strings(found.data))
        for place, text in places.items():
            try:
                self.expressions.check(text, expression=False)
            except TemplateError as error:
                raise found.invalid(place, _reason(error)) from error
            self._note(text, found, place, expression=False)
        original = self._original.file.parent / found.file.name
        if original != found.file and original.exists():
            for place, _ in strings(Source(original).data):
                if place not in places:
                    raise found.invalid(place, f"the text is missing that {self.layout.edition_of} has there")

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
        for path, text in strings(source.get("blocks"), ("blocks",)):
            field = path[-1]
            if field in ("scale", "meter") and text and text not in self.layout.scales:
                known = ", ".join(sorted(self.layout.scales)) or "none"
                raise self.invalid(path, f"there is no scale named {text!r} (scales: {known})")
            if field == "file":
                self._check_file(path, text)
            if field in DRAWN and text:
                self._note_use(used(field, [text], {}, self._own.file.name, path), self._source(path))
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
            below = 0 if expression else error.lineno - 1
            raise self._source(path).invalid(path, str(error.message), below=below) from error
        except TemplateError as error:
            raise self.invalid(path, _reason(error)) from error
        self._note(text, self._source(path), path, expression=expression)

    def _note(self, text: str, source: Source, path: tuple[str | int, ...], *, expression: bool) -> None:
        for name, args, named in self.expressions.filters_in(text, expression=expression):
            self._note_use(used(name, args, named, source.file.name, path), source)

    def _note_use(self, use: Use, source: Source) -> None:
        self._uses[use] = source, source.line(use.path)

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

        file = self.file(name)
        inside = any(file.resolve().is_relative_to(folder.resolve()) for folder in self._stamps)
        if not inside or not file.is_file():
            raise self.invalid(path, f"there is no file {name!r} in the template's folder")
        try:
            picture(file)
        except PictureError as error:
            raise self.invalid(path, str(error)) from error

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
            yield from faults(self._validator, data)
        except Unresolvable as missing:
            raise invalid(self.file("schema.json"), 1, f"a $ref leads nowhere: {missing}") from missing


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


def _reason(error: TemplateError) -> str:
    return error.message or type(error).__name__
