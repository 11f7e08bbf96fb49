"""What a template's texts and expressions give for one report: texts, numbers, lists, pictures, and errors that say where."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, TypeVar

from msgspec import Struct

from actors.pdf.drawing.pictures import Drawing
from actors.pdf.product import blocks as b
from actors.pdf.product.measure import Scale, Span, span_of
from actors.pdf.product.picture import MOST_DATA_PIXELS, PictureError, picture, picture_in
from actors.pdf.product.source import Place, dotted
from actors.pdf.product.template import UNFIT, Template
from actors.pdf.product.values import number
from actors.pdf.style import sheet
from actors.pdf.text.words import one_line, unmarked
from schema.errors import Permanent

T = TypeVar("T")
Gauged = b.Bars | b.Radar | b.Profile | b.Gauge | b.Column
MOST_PAGES = 1_000  # of a report: some megabytes of text, and as much as a worker's memory holds


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in the template a block stands, the values that it can name, and the width that it fills, in points."""

    path: Place
    scope: Mapping[str, Any]
    measure: float = 0.0

    def below(self, /, *steps: str | int, **values: Any) -> Spot:
        """The spot some steps further down, where `values` can be named as well."""
        scope = self.scope["teks"].within(self.scope, values) if values else self.scope
        return Spot((*self.path, *steps), scope, self.measure)


@dataclass
class Filling:
    """One report's data in a template. It holds one person's data, so it is made for one report and then dropped."""

    template: Template
    report: Mapping[str, Any]
    _height: float = field(default=0.0, init=False)  # points, of what is composed
    _pictures: dict[str, tuple[bytes, float]] = field(default_factory=dict, init=False)  # of the data, by their base64
    _points: int = field(default=MOST_DATA_PIXELS, init=False)  # that further pictures of the data may have

    def marked(self, field: str) -> str:
        """A text of the layout."""
        return self._fill(self.template.layout, field, Spot((), self.report))

    def logo(self) -> Drawing | None:
        """The logo of the template or of its brand."""
        logo = self.template.layout.logo
        return self._file(("logo", "file"), logo.file, logo.alternative) if logo else None

    def plain(self, field: str) -> str:
        """A text of the layout in one line without emphasis, for metadata."""
        return one_line(unmarked(self.marked(field)))

    def _misfit(self, what: str, path: str) -> Permanent:
        detail = f"The report's data does not fit {self.template.product}: {what}"
        return Permanent(detail, code="invalid_data", path=path)

    def _ask(self, ask: Callable[[str, Mapping[str, Any]], T], block: Struct, field: str, at: Spot) -> T:
        source = getattr(block, field)
        try:
            return ask(source, at.scope)
        except UNFIT as error:
            raise self.template.invalid((*at.path, field), f"{source.strip()[:80]!r}: {error}") from error

    def _fill(self, block: Struct, field: str, at: Spot) -> str:
        return self._ask(self.template.expressions.fill, block, field, at)

    def _evaluate(self, block: Struct, field: str, at: Spot) -> Any:
        return self._ask(self.template.expressions.evaluate, block, field, at)

    def _elements(self, block: Struct, field: str, at: Spot, least: float = 0.0) -> list[Any]:
        """The elements that an expression gives; each will be at least `least` points high."""
        found = self._evaluate(block, field, at)
        if isinstance(found, (str, Mapping)) or not hasattr(found, "__iter__"):
            message = f"{getattr(block, field)!r} must give a list, not {type(found).__name__}"
            raise self.template.invalid((*at.path, field), message)
        elements = list(found)
        self._require_room(len(elements) * least)
        return elements

    def _grow(self, height: float) -> None:
        self._require_room(height)
        self._height += height

    def _require_room(self, height: float) -> None:
        """Refuse, before anything is drawn, to grow by `height` points beyond the longest report."""
        if self._height + height > MOST_PAGES * sheet().body:
            many = f"it fills more than {MOST_PAGES:,} pages. Shorten its texts or lists."
            raise Permanent(f"The report's data does not fit {self.template.product}: {many}", code="invalid_data")

    def _measured(self, block: Struct, field: str, at: Spot) -> float | None:
        """The number that an expression gives, or None when it is missing."""
        found, source = self._evaluate(block, field, at), getattr(block, field)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, Real):
            message = f"{source!r} must give a number, not {type(found).__name__}"
            raise self.template.invalid((*at.path, field), message)
        try:
            value = float(found)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):  # JSON readers let NaN and Infinity pass, and so does JSON Schema
            raise self._misfit(f"{source} is not a finite number", source)
        return value

    def _optional(self, block: Struct, field: str, at: Spot) -> float | None:
        return self._measured(block, field, at) if getattr(block, field) else None

    def _span(self, block: Gauged, scale: Scale, value: float | None, at: Spot) -> Span | None:
        """The interval of a value: the block's `low` and `high`, or the scale's own."""
        low, high = self._optional(block, "low", at), self._optional(block, "high", at)
        if value is not None and low is not None and high is not None and not low <= value <= high:
            raise self._misfit(f"{block.low} to {block.high} does not hold the score that it belongs to", block.low)
        return span_of(scale, value, low, high)

    def _total(self, column: b.Column, values: list[float]) -> str:
        """The sum or the mean of a column's numbers as it is printed; a dash without numbers."""
        try:
            found = math.fsum(values) / (len(values) if values and column.total == "mean" else 1)
        except OverflowError as error:
            raise self._misfit(f"the {column.total} of {column.value} is too great", column.value) from error
        return number(found if values else None, column.decimals)

    def _picture(self, block: b.Image | b.Picture, at: Spot) -> Drawing | None:
        """The picture of a file or of the data; None where the data has none."""
        alternative = self._fill(block, "alternative", at)
        if block.file:
            return self._file((*at.path, "file"), block.file, alternative)
        given = self._evaluate(block, "data", at)
        if given is None or given == "":
            return None
        if not (isinstance(given, str) and given in self._pictures):
            try:
                source, proportion, points = picture_in(given, self._points)
            except PictureError as error:
                where = self._where(given) or block.data
                raise self._misfit(f"{where}: {error}", where) from error
            self._points -= points
            self._pictures[given] = source, proportion
        return Drawing(*self._pictures[given], alternative)

    def _file(self, path: Place, name: str, alternative: str) -> Drawing:
        try:
            return Drawing(*picture(self.template.beside(path, name)), alternative)
        except PictureError as error:  # it was changed after the template was read
            raise self.template.invalid(path, str(error)) from error

    def _where(self, text: object) -> str:
        """Where in the report's data this very text stands; empty when an expression made it."""
        waiting: list[tuple[Place, Any]] = [((), self.report)]
        while waiting and isinstance(text, str) and len(text) > 1:  # there is only one "a" in a process
            place, node = waiting.pop()
            if node is text:
                return dotted(place)
            inner = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
            waiting += [((*place, key), one) for key, one in inner]
        return ""
