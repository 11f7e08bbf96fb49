"""From a template's blocks and a report's data to the items of the flow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, TypeVar

from msgspec import Struct, structs

from actors.pdf.charts.bars import bars_items
from actors.pdf.charts.gauge import gauge_items
from actors.pdf.charts.parts import Datum
from actors.pdf.charts.profile import profile_items
from actors.pdf.charts.radar import radar_items
from actors.pdf.front import contents_items, cover_item
from actors.pdf.page.flow import Item, Place, boxed, keep, total
from actors.pdf.pictures import image_item
from actors.pdf.product import blocks as b
from actors.pdf.product.measure import Span, span_of
from actors.pdf.product.picture import PictureError
from actors.pdf.product.template import UNFIT, Template
from actors.pdf.product.values import Texts
from actors.pdf.product.wording import words
from actors.pdf.prose import callout_items, caption_items, heading_items, text_items, title_items
from actors.pdf.style import BODY_HEIGHT, GRID, GUTTER, HALF, MEASURE
from actors.pdf.tables import LEAST_ROW, Cell, table_items
from actors.pdf.text.words import emphasis
from schema.errors import Permanent

T = TypeVar("T")
Path = tuple[str | int, ...]
Captioned = b.Table | b.Bars | b.Radar | b.Profile | b.Gauge | b.Image
Gauged = b.Bars | b.Radar | b.Profile | b.Gauge | b.Column
UNEVEN, SHIFT = 3 * GRID, 0.08  # columns that differ by more get other widths, if that makes the whole lower
MOST_PAGES = 1_000  # of a report: some megabytes of text, and as much as a worker's memory holds


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where in the template a block stands, the values that it can name, and the width that it fills, in points."""

    path: Path
    scope: Mapping[str, Any]
    measure: float = MEASURE

    def below(self, /, *steps: str | int, **values: Any) -> _Spot:
        """The spot some steps further down, where `values` can be named as well."""
        scope = self.scope["teks"].within(self.scope, values) if values else self.scope
        return _Spot((*self.path, *steps), scope, self.measure)


@dataclass
class Composer:
    """Walks the blocks of one document. It holds one person's data, so it is made for one report and then dropped."""

    template: Template
    report: Mapping[str, Any]
    progress: Callable[[float], None]  # share of the blocks that are composed, 0 to 1
    headings: list[tuple[int, int, str]] = field(default_factory=list)
    _contents: list[tuple[int, b.Contents]] = field(default_factory=list)
    _height: float = 0.0  # points, of what is composed
    _open: list[int] = field(default_factory=list)  # levels of the headings that what follows stands below

    def items(self) -> list[Item]:
        """The whole document as one column."""
        layout = self.template.layout
        scope = Texts(self.template.texts, self.template.expressions.fill, {}).within(self.report)
        column: list[Item] = []
        starts = False
        for number, block in enumerate(layout.blocks):
            if isinstance(block, b.Contents):
                self._contents.append((len(column), block))
            elif isinstance(block, b.PageBreak):
                starts = True
            else:
                starts = self._append(column, block, self._block(block, _Spot(("blocks", number), scope)), starts)
            self.progress((number + 1) / len(layout.blocks))
        self._insert_contents(column)
        return column

    def _insert_contents(self, column: list[Item]) -> None:
        for place, block in reversed(self._contents):
            listed = [entry for entry in self.headings if entry[1] < 3]
            if len(listed) < block.at_least:
                continue
            made = heading_items(block.title or words().contents, 1, MEASURE, -1, 1) + contents_items(listed, MEASURE)
            made[0].starts_page = True
            column[place:place] = made

    def _ask(self, ask: Callable[[str, Mapping[str, Any]], T], block: Struct, field: str, at: _Spot) -> T:
        source = getattr(block, field)
        try:
            return ask(source, at.scope)
        except UNFIT as error:
            raise self.template.invalid((*at.path, field), f"{source.strip()[:80]!r}: {error}") from error

    def _fill(self, block: Struct, field: str, at: _Spot) -> str:
        """A text with its values."""
        return self._ask(self.template.expressions.fill, block, field, at)

    def _evaluate(self, block: Struct, field: str, at: _Spot) -> Any:
        """The value of an expression."""
        return self._ask(self.template.expressions.evaluate, block, field, at)

    def _elements(self, block: Struct, field: str, at: _Spot, least: float = 0.0) -> list[Any]:
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
        if self._height + height > MOST_PAGES * BODY_HEIGHT:
            raise Permanent(
                f"The report's data does not fit {self.template.product}: it fills more than {MOST_PAGES:,} pages. "
                "Shorten its texts or lists.",
                code="invalid_data",
            )

    def _start_page(self, item: Item) -> None:
        item.starts_page = True
        self._grow(BODY_HEIGHT)

    def _measured(self, block: Struct, field: str, at: _Spot) -> float | None:
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
            raise Permanent(
                f"The report's data does not fit {self.template.product}: {source} is not a finite number",
                code="invalid_data",
                path=source,
            )
        return value

    def _optional(self, block: Struct, field: str, at: _Spot) -> float | None:
        return self._measured(block, field, at) if getattr(block, field) else None

    def _span(self, block: Gauged, scale: b.Scale, value: float | None, at: _Spot) -> Span | None:
        """The interval of a value: the block's `low` and `high`, or the scale's own."""
        low, high = self._optional(block, "low", at), self._optional(block, "high", at)
        if value is not None and low is not None and high is not None and not low <= value <= high:
            raise Permanent(
                f"The report's data does not fit {self.template.product}: {block.low} to {block.high} does not hold "
                "the score that it belongs to",
                code="invalid_data",
                path=block.low,
            )
        return span_of(scale, value, low, high)

    def header(self) -> str:
        """What stands at the head of each page."""
        return self._fill(self.template.layout, "header", _Spot((), self.report))

    def plain(self, field: str) -> str:
        """A text of the layout without emphasis, for metadata."""
        return "".join(part for part, _ in emphasis(self._fill(self.template.layout, field, _Spot((), self.report))))

    def _column(self, column: Sequence[b.Block], at: _Spot) -> list[Item]:
        items: list[Item] = []
        starts = False
        for number, block in enumerate(column):
            if isinstance(block, b.PageBreak):
                starts = True
                continue
            starts = self._append(items, block, self._block(block, at.below(number)), starts)
        return items

    def _block(self, block: b.Block, at: _Spot) -> list[Item]:
        match block:
            case b.Heading():
                text = self._fill(block, "text", at)
                number = len(self.headings)
                self.headings.append((number, block.level, text))
                items = heading_items(text, block.level, at.measure, number, self._depth(block.level))
                if block.new_page:
                    items[0].new_page = True
                    self._grow(BODY_HEIGHT)
                return items
            case b.Text():
                return text_items(self._fill(block, "text", at), block.style, at.measure)
            case b.Table():
                return self._table(block, at)
            case b.Bars() | b.Radar() | b.Profile():
                return self._chart(block, at)
            case b.Gauge():
                scale = self.template.layout.scales[block.scale]
                value = self._measured(block, "value", at)
                title = self._fill(block, "title", at)
                datum = Datum(title, value, span=self._span(block, scale, value, at))
                drawn = gauge_items(datum, scale, at.measure, self._optional(block, "reference", at))
                return self._captioned(title, block, drawn, at)
            case b.Callout():
                title = self._fill(block, "title", at)
                return callout_items(title, self._fill(block, "text", at), at.measure)
            case b.Columns():
                return self._columns(block, at)
            case b.Image():
                alternative = self._fill(block, "alternative", at)
                file = self.template.file(block.file)
                try:
                    drawn = [image_item(file, alternative, at.measure * block.width, at.measure)]
                except PictureError as error:  # it was changed after the template was read
                    raise self.template.invalid((*at.path, "file"), str(error)) from error
                return self._captioned("", block, drawn, at)
            case b.Each():
                items = []
                for element in self._elements(block, "items", at):
                    items += self._column(block.blocks, at.below("blocks", **{block.each: element}))
                return items
            case b.When():
                name = "blocks" if self._evaluate(block, "test", at) else "otherwise"
                return self._column(getattr(block, name), at.below(name))
            case b.Cover():
                return [self._cover(block, at)]
            case _:
                return []

    def _depth(self, level: int) -> int:
        """How deep a heading stands below others; a template may skip levels, and a screen reader's list must not."""
        while self._open and self._open[-1] >= level:
            self._open.pop()
        self._open.append(level)
        return len(self._open)

    def _cover(self, block: b.Cover, at: _Spot) -> Item:
        kicker, title, subtitle, name, note = (
            self._fill(block, field, at) for field in ("kicker", "title", "subtitle", "name", "note")
        )
        details = []
        for number, detail in enumerate(block.details):
            below = at.below("details", number)
            label, value = self._fill(detail, "label", below), self._fill(detail, "value", below)
            if value.strip():
                details.append((label, value))
        return cover_item(kicker, title, subtitle, name, details, note)

    def _columns(self, block: b.Columns, at: _Spot) -> list[Item]:
        known, composed, opened = len(self.headings), self._height, list(self._open)
        left_spot, right_spot = at.below("left"), at.below("right")

        def tried(share: float) -> tuple[list[Item], list[Item], float]:
            del self.headings[known:]
            self._height, self._open = composed, list(opened)
            narrow = (at.measure - GUTTER) * share
            left = self._column(block.left, replace(left_spot, measure=narrow))
            return left, self._column(block.right, replace(right_spot, measure=at.measure - GUTTER - narrow)), narrow

        left, right, narrow = tried(block.share or 0.5)
        tall, longer = max(total(left), total(right)), total(left) - total(right)
        if not block.share and abs(longer) > UNEVEN and tall <= BODY_HEIGHT:
            left, right, narrow = tried(0.5 + math.copysign(SHIFT, longer))
            if max(total(left), total(right)) > tall - GRID:
                left, right, narrow = tried(0.5)
        if max(total(left), total(right)) > BODY_HEIGHT - 4 * GRID:
            del self.headings[known:], left, right  # both columns are composed again, in the full measure
            self._height, self._open = composed, opened
            return self._column(block.left, left_spot) + self._column(block.right, right_spot)
        first, second = boxed(left), boxed(right)
        height = max(first.height, second.height)

        def draw(place: Place, x: float, top: float) -> None:
            first.draw(place, x, top)
            second.draw(place, x + narrow + GUTTER, top)

        heads = [column[0].before for column in (left, right) if column and column[0].headings]
        return [Item(height, draw, before=max([HALF, *heads]), headings=(*first.headings, *second.headings))]

    def _table(self, block: b.Table, at: _Spot) -> list[Item]:
        rows = []
        columns = [
            structs.replace(column, title=self._fill(column, "title", at.below("columns", number)))
            for number, column in enumerate(block.columns)
        ]
        for element in self._elements(block, "rows", at, LEAST_ROW):
            inner = at.below("columns", **{block.each: element})
            rows.append([self._cell(column, inner.below(number)) for number, column in enumerate(block.columns)])
        title = self._fill(block, "title", at)
        if not rows:
            drawn = text_items(self._fill(block, "empty", at) or words().nothing, "body", at.measure)
        else:
            drawn = table_items(columns, rows, at.measure)
        return self._captioned(title, block, drawn, at)

    def _cell(self, column: b.Column, at: _Spot) -> Cell:
        if column.meter:
            scale, value = self.template.layout.scales[column.meter], self._measured(column, "cell", at)
            return Cell(value=value, scale=scale, span=self._span(column, scale, value, at))
        return Cell(self._fill(column, "cell", at))

    def _chart(self, block: b.Bars | b.Radar | b.Profile, at: _Spot) -> list[Item]:
        data: list[Datum] = []
        scale = self.template.layout.scales[block.scale]
        least = HALF / 2 if isinstance(block, b.Radar) else LEAST_ROW
        for element in self._elements(block, "items", at, least):
            inner = at.below(**{block.each: element})
            value = self._measured(block, "value", inner)
            data.append(
                Datum(
                    self._fill(block, "label", inner),
                    value,
                    self._fill(block, "note", inner) if isinstance(block, b.Bars) else "",
                    self._fill(block, "opposite", inner) if isinstance(block, b.Profile) else "",
                    self._fill(block, "name", inner) if isinstance(block, b.Profile) else "",
                    self._span(block, scale, value, inner),
                )
            )
        title = self._fill(block, "title", at)
        reference = self._optional(block, "reference", at)
        draw = {b.Bars: bars_items, b.Radar: radar_items, b.Profile: profile_items}[type(block)]
        none = () if data else text_items(words().nothing, "body", at.measure)
        return self._captioned(title, block, [*none] or draw(title, data, scale, at.measure, reference), at)

    def _captioned(self, title: str, block: Captioned, drawn: list[Item], at: _Spot) -> list[Item]:
        items = title_items(title, at.measure) if title else []
        below = caption_items(self._fill(block, "caption", at), at.measure) if block.caption else []
        if below and drawn:
            drawn[-1].keep = True
        items = [*items, *drawn, *below]
        if items:
            items[0].before = GRID
        return items

    def _append(self, column: list[Item], block: b.Block, made: list[Item], starts: bool) -> bool:
        """Add a block's items, on a new page with `starts`; returns whether the next block must still start that page.

        A closing line in small type, a signature, stands below three lines of text at least.
        """
        if made and starts:
            self._start_page(made[0])
        if isinstance(block, b.Text) and block.style == "small" and column and made and not made[0].starts_page:
            keep(column[-3:])
        if not isinstance(block, (b.Columns, b.Each, b.When)):  # the items inside those are counted already
            self._grow(total(made))
        column += made
        return starts and not made
