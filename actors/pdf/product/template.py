"""Reading a product's folder: template.yaml, texts.yaml and schema.json, with errors that say where.

Everything is checked before anything is drawn: the blocks' types, every Jinja text, the names of scales, the files of
images. An edition (`edition_of`) takes from another product's folder all that its own does not have. The `brand.yaml`
beside the folder fills what both leave out.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar, get_args
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import TemplateError
from referencing.exceptions import Unresolvable

from actors.pdf.product.blocks import Layout
from actors.pdf.product.brand import BRAND, JOINED, Brand, Style, faint, files_in, files_of, merged
from actors.pdf.product.claims import DRAWN, Use, unfounded, used
from actors.pdf.product.filters import filters_of
from actors.pdf.product.measure import Scale, mismeasured
from actors.pdf.product.report_schema import faults, read_schema
from actors.pdf.product.source import Place, Source, dotted, invalid, located, strings
from actors.pdf.product.values import Expressions, Texts
from actors.pdf.product.wording import LANGUAGES, language_of
from schema.errors import Permanent

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
EXPRESSIONS = {"rows", "items", "value", "test", "low", "high", "reference", "data"}
LITERALS = {"block", "each", "style", "align", "scale", "meter", "file", "total"}
OWN = ("title", "subject", "header")  # what an edition does not take from its original
IGNORED_KEYS = ("_id", "code", "product_id", "pdf_generation")
UNFIT = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)  # what a text may raise
_STEP = re.compile(r"\.([^.\[\]`]+)|\[(\d+)\]|\[\.\.\.\]")  # of a place as msgspec writes it
Find = Callable[[str], Path | None]
T = TypeVar("T")


def _shaped(content: Any, kind: type[T], wrong: Callable[[Place, str], Permanent]) -> T:
    """The content as what it must be; raises the error that says where it is not, and what may stand there."""
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        reason, _, at = str(error).partition(" - at ")
        steps = _STEP.findall(at[at.find("$") :])
        place, words = located(kind, content, tuple(int(number) if number else name for name, number in steps))
        listed = reason.startswith(("Invalid", "Object contains unknown")) and words
        raise wrong(place, f"{reason}; there is {', '.join(words)}" if listed else reason) from error


def _stamp(folder: Path) -> tuple[tuple[str, int], ...]:
    return tuple((str(path), path.stat().st_mtime_ns) for path in files_of(folder))


class Template:
    """A product's template, ready to be filled. `find` gives the folder of the product whose edition it is."""

    def __init__(self, folder: Path, find: Find = lambda product_id: None) -> None:
        self.folder = folder
        self.product = folder.name
        self._stamps = {folder: _stamp(folder)}  # of its folder and of its original's
        self._own = Source(folder / "template.yaml")
        self._original = self._found(find)
        brand = next((path for home in self._stamps if (path := home.parent / BRAND).is_file()), None)
        self._brand = Source(brand) if brand else None
        # An earlier one replaces what later ones say.
        self._sources = [source for source in (self._own, self._original, self._brand) if source]
        if self._brand:
            _shaped(self._brand.content or {}, Brand, self._brand.invalid)
        self.version = self._version()
        self._texts = Source(path) if (path := self.file("texts.yaml")).exists() else None
        self.texts: Mapping[str, Any] = self._texts.content if self._texts else {}
        if self._texts and not isinstance(self.texts, dict):
            raise invalid(path, 1, "expected names with texts below them")
        source = self._named(reduce(merged, (one.content for one in reversed(self._sources))))
        self.layout: Layout = _shaped(source, Layout, self.invalid)
        self.expressions = Expressions(filters_of(self.layout.scales))
        self._uses: dict[Use, tuple[Source, int]] = {}  # with their lines
        self._check_texts()
        self._check(source)
        self._validator = read_schema(self.file("schema.json"))

    def _found(self, find: Find) -> Source | None:
        """The template of the product whose edition this is."""
        own = self._own.content
        if not isinstance(own, dict) or not own.get("edition_of"):
            return None
        name = own["edition_of"]
        home = find(name) if isinstance(name, str) else None
        if home is None:
            raise self._own.invalid(("edition_of",), f"there is no product {str(name)[:100]!r}")
        self._stamps[home] = _stamp(home)
        original = Source(home / "template.yaml")
        found = original.content
        if not isinstance(found, dict) or found.get("edition_of"):
            raise self._own.invalid(("edition_of",), f"{name!r} has no blocks of its own")
        for field in OWN:
            if field in found and field not in own:
                raise self._own.invalid((), f"`{field}` is missing: an edition has its own")
        return original

    def current(self, find: Find) -> bool:
        """Whether its files are those that were read."""
        home = find(self.layout.edition_of) if self.layout.edition_of else self.folder
        return home in self._stamps and all(_stamp(folder) == stamp for folder, stamp in self._stamps.items())

    def file(self, name: str) -> Path:
        """A file of the template: its own, or else that of the product whose edition it is."""
        return next((path for folder in self._stamps if (path := folder / name).exists()), self.folder / name)

    def _version(self) -> str:
        """The first 12 hex digits of a hash over the names and bytes of all its files."""
        found = {path.name: path for folder in reversed(self._stamps) for path in files_in(folder)}
        digest = hashlib.sha256()
        for path in [
            *(found[name] for name in sorted(found)),
            *([self._original.path] if self._original else ()),
            *(files_in(self._brand.path.parent) if self._brand else ()),
        ]:
            content = path.read_bytes()
            digest.update(f"{path.name}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()[:12]

    def unfounded(self) -> list[Permanent]:
        """What the template says of scores without a ground for it: errors that `templates check` shows."""
        found = [(*self._uses[use], use.path, why) for use, why in unfounded(self._uses, self.layout.scales)]
        return [invalid(source.path, line, f"{dotted(path)}: {why}") for source, line, path, why in found]

    def _holder(self, place: Place) -> Source:
        """The file that says what counts there."""
        part = place[: 2 if place and place[0] in JOINED else 1]
        return next((source for source in self._sources if part and source.holds(part)), self._own)

    def invalid(self, place: Place, detail: str, below: int = 0) -> Permanent:
        """An error at a place of template.yaml, or of the file that says what the template does not."""
        return self._holder(place).invalid(place, detail, below)

    def beside(self, place: Place, name: str) -> Path:
        """The file that a place names: the template's, or what lies beside the brand.yaml that names it. Raises Permanent."""
        holder = self._holder(place)
        for folder in [holder.path.parent] if holder is self._brand else self._stamps:
            path = folder / name.replace("\0", "?")
            if path.resolve().is_relative_to(folder.resolve()) and path.is_file():
                return path
        raise holder.invalid(place, f"there is no file {name!r} in the folder {holder.path.parent.name}")

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
        places = dict(strings(found.content))
        for place, text in places.items():
            self._check_text(found, place, text)
        original = self._original.path.with_name("texts.yaml") if self._original else found.path
        if original != found.path and original.exists():
            for place, _ in strings(Source(original).content):
                if place not in places:
                    raise found.invalid(place, f"the text is missing that {self.layout.edition_of} has there")

    def _check(self, source: Any) -> None:
        language, zone = self.layout.language, self.layout.time_zone
        if language_of(language) is None:
            wrong = f"{language!r} is not one of {', '.join(LANGUAGES)}, or one with a region"
            raise self.invalid(("language",), wrong)
        try:
            self.zone = ZoneInfo(zone) if zone else None
        except (ValueError, OSError, KeyError) as error:
            raise self.invalid(("time_zone",), f"there is no time zone {zone!r}; one is Asia/Jakarta") from error
        for colour, wrong in faint(self.layout.colours):
            raise self.invalid(("colours", colour), wrong)
        for name, scale in self.layout.scales.items():
            self._check_scale(name, scale)
        for place, text in strings(source.get("blocks"), ("blocks",)):
            field, holder = place[-1], self._holder(place)
            if field in ("scale", "meter") and text and text not in self.layout.scales:
                known = ", ".join(sorted(self.layout.scales)) or "none"
                raise self.invalid(place, f"there is no scale named {text!r} (scales: {known})")
            if field == "file" and text:
                self._check_picture(place, text)
            if field in DRAWN and text:
                self._add(holder, place, field, [text], {})
            if field not in LITERALS:
                expression = field in EXPRESSIONS and not (field == "value" and "details" in place)
                self._check_text(holder, place, text, expression=expression)
        for field in ("title", "subject", "header", "footer", "author"):
            self._check_text(self._holder((field,)), (field,), getattr(self.layout, field))
        if logo := self.layout.logo:
            self._check_picture(("logo", "file"), logo.file)
        self.fonts: dict[str, Path | str] = {
            style: name if name in get_args(Style) else self.beside(("fonts", style), name)
            for style, name in self.layout.fonts.items()
        }

    def _check_text(self, source: Source, place: Place, text: str, *, expression: bool = False) -> None:
        try:
            self.expressions.check(text, expression=expression)
        except TemplateError as error:
            whole = expression or source is self._texts  # told at the line where the text begins
            below = 0 if whole else getattr(error, "lineno", 1) - 1
            raise source.invalid(place, error.message or type(error).__name__, below) from error
        for name, args, named in self.expressions.filters_in(text, expression=expression):
            self._add(source, place, name, args, named)

    def _add(self, source: Source, place: Place, name: str, args: Sequence[Any], named: Mapping[str, Any]) -> None:
        self._uses[used(name, args, named, source.path.name, place)] = source, source.line(place)

    def _check_scale(self, name: str, scale: Scale) -> None:
        ends, low, high = [band.upto for band in scale.bands], scale.low, scale.high
        if not low < high:
            raise self.invalid(("scales", name), f"low ({low:g}) must be below high ({high:g})")
        if wrong := mismeasured(scale):
            raise self.invalid(("scales", name), wrong)
        if ends != sorted(set(ends)) or ends[0] <= low or ends[-1] != high:
            wrong = f"the `upto` of the bands must rise and end at high ({high:g})"
            raise self.invalid(("scales", name, "bands"), wrong)

    def _check_picture(self, place: Place, name: str) -> None:
        from actors.pdf.product.picture import PictureError, picture  # late: the API reads templates without pictures

        try:
            picture(self.beside(place, name))
        except PictureError as error:
            raise self.invalid(place, str(error)) from error

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
            detail = f"The report's data does not fit {self.product}: {where}: {expected}"
            raise Permanent(detail, code="invalid_data", path=where)
        return {key: report[key] for key in report if key in self.expressions.words and key not in IGNORED_KEYS}

    def errors(self, report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Each place where the data does not fit the schema, with what was expected there; found as it is asked for."""
        data = {key: value for key, value in report.items() if key not in IGNORED_KEYS}
        try:
            yield from faults(self._validator, data)
        except Unresolvable as missing:
            raise invalid(self.file("schema.json"), 1, f"a $ref leads nowhere: {missing}") from missing
