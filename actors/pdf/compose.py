"""From a template's blocks and a report's data to the items of the flow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from jinja2 import TemplateError

from actors.pdf.charts.bars import bars_items
from actors.pdf.charts.gauge import gauge_items
from actors.pdf.charts.parts import Datum
from actors.pdf.charts.profile import profile_items
from actors.pdf.charts.radar import radar_items
from actors.pdf.front import contents_items, cover_item
from actors.pdf.page.flow import Item, boxed, total
from actors.pdf.pictures import image_item
from actors.pdf.product import blocks as b
from actors.pdf.product.template import Template
from actors.pdf.product.values import Texts
from actors.pdf.prose import callout_items, caption_items, heading_items, text_items, title_items
from actors.pdf.style import BODY_HEIGHT, GRID, HALF, MEASURE
from actors.pdf.tables import LEAST_ROW, Cell, table_items
from actors.pdf.text.words import emphasis
from schema.errors import Permanent

Path = tuple[str | int, ...]
GUTTER = 22.0
MOST_PAGES = 1_000  # of a report: some megabytes of text, and what a worker's memory holds


@dataclass
class Composer:
    """Walks the blocks of one document. Holds one person's data: made for each report, then dropped."""

    template: Template
    report: Mapping[str, Any]
    progress: Callable[[float], None]  # share of the blocks that are composed, 0 to 1
    headings: list[tuple[int, int, str]] = field(default_factory=list)
    _contents: list[tuple[int, b.Contents]] = field(default_factory=list)
    _height: float = 0.0  # of what is composed, in points

    def items(self) -> list[Item]:
        """The whole document as one column."""
        layout = self.template.layout
        scope: dict[str, Any] = dict(self.report)
        scope["teks"] = Texts(self.template.texts, lambda text: self.template.expressions.fill(text, scope))
        column: list[Item] = []
        starts = False
        for number, block in enumerate(layout.blocks):
            path: Path = ("blocks", number)
            if isinstance(block, b.Contents):
                self._contents.append((len(column), block))
            elif isinstance(block, b.PageBreak):
                starts = True
            else:
                starts = self._append(column, block, self._block(block, path, scope, MEASURE), starts)
            self.progress((number + 1) / len(layout.blocks))
        self._insert_contents(column)
        return column

    def _insert_contents(self, column: list[Item]) -> None:
        for place, block in reversed(self._contents):
            listed = [entry for entry in self.headings if entry[1] < 3]
            if len(listed) < block.at_least:
                continue
            made = heading_items(block.title, 1, MEASURE, -1) + contents_items(listed, MEASURE)
            made[0].starts_page = True
            column[place:place] = made

    def fill(self, source: str, scope: Mapping[str, Any], path: Path) -> str:
        """A text with its values."""
        try:
            return self.template.expressions.fill(source, scope)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise self.template.invalid(path, f"{source.strip()[:80]!r}: {error}") from error

    def evaluate(self, source: str, scope: Mapping[str, Any], path: Path) -> Any:
        """The value of an expression."""
        try:
            return self.template.expressions.evaluate(source, scope)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise self.template.invalid(path, f"{source.strip()[:80]!r}: {error}") from error

    def sequence(self, source: str, scope: Mapping[str, Any], path: Path, least: float = 0.0) -> list[Any]:
        """The elements an expression gives, each of which will be `least` points high or more."""
        found = self.evaluate(source, scope, path)
        if isinstance(found, (str, Mapping)) or not hasattr(found, "__iter__"):
            raise self.template.invalid(path, f"{source!r} must give a list, not {type(found).__name__}")
        elements = list(found)
        self._require_room(len(elements) * least)
        return elements

    def _grow(self, height: float) -> None:
        self._require_room(height)
        self._height += height

    def _require_room(self, height: float) -> None:
        """Refuse to grow by so many points beyond what anybody reads, before it is drawn."""
        if self._height + height > MOST_PAGES * BODY_HEIGHT:
            raise Permanent(
                f"The report's data does not fit {self.template.product}: it fills more than {MOST_PAGES:,} pages. "
                "Shorten its texts or lists.",
                code="invalid_data",
            )

    def _start_page(self, item: Item) -> None:
        item.starts_page = True
        self._grow(BODY_HEIGHT)

    def measured(self, source: str, scope: Mapping[str, Any], path: Path) -> float | None:
        """The number an expression gives, or None for a missing one."""
        found = self.evaluate(source, scope, path)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, Real):
            raise self.template.invalid(path, f"{source!r} must give a number, not {type(found).__name__}")
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

    def plain(self, source: str, scope: Mapping[str, Any], path: Path) -> str:
        """A text without emphasis, for metadata."""
        return "".join(part for part, _ in emphasis(self.fill(source, scope, path)))

    def _column(self, column: Sequence[b.Block], path: Path, scope: Mapping[str, Any], measure: float) -> list[Item]:
        items: list[Item] = []
        starts = False
        for number, block in enumerate(column):
            if isinstance(block, b.PageBreak):
                starts = True
                continue
            starts = self._append(items, block, self._block(block, (*path, number), scope, measure), starts)
        return items

    def _block(self, block: b.Block, path: Path, scope: Mapping[str, Any], measure: float) -> list[Item]:
        match block:
            case b.Heading():
                text = self.fill(block.text, scope, (*path, "text"))
                number = len(self.headings)
                self.headings.append((number, block.level, text))
                items = heading_items(text, block.level, measure, number)
                if block.new_page:
                    self._start_page(items[0])
                return items
            case b.Text():
                return text_items(self.fill(block.text, scope, (*path, "text")), block.style, measure)
            case b.Table():
                return self._table(block, path, scope, measure)
            case b.Bars() | b.Radar() | b.Profile():
                return self._chart(block, path, scope, measure)
            case b.Gauge():
                value = self.measured(block.value, scope, (*path, "value"))
                title = self.fill(block.title, scope, (*path, "title"))
                drawn = gauge_items(title, value, self.template.layout.scales[block.scale], measure)
                return self._captioned(title, block.caption, drawn, path, scope, measure)
            case b.Callout():
                title = self.fill(block.title, scope, (*path, "title"))
                return callout_items(title, self.fill(block.text, scope, (*path, "text")), measure)
            case b.Columns():
                return self._columns(block, path, scope, measure)
            case b.Image():
                alternative = self.fill(block.alternative, scope, (*path, "alternative"))
                picture = image_item(self.template.folder / block.file, alternative, measure * block.width, measure)
                return self._captioned("", block.caption, [picture], path, scope, measure)
            case b.Each():
                return self._each(block, path, scope, measure)
            case b.When():
                holds = self.evaluate(block.test, scope, (*path, "test"))
                name = "blocks" if holds else "otherwise"
                return self._column(block.blocks if holds else block.otherwise, (*path, name), scope, measure)
            case b.Cover():
                return [self._cover(block, path, scope)]
            case _:
                return []

    def _cover(self, block: b.Cover, path: Path, scope: Mapping[str, Any]) -> Item:
        def fill(name: str) -> str:
            return self.fill(getattr(block, name), scope, (*path, name))

        details = [
            (
                self.fill(detail.label, scope, (*path, "details", number, "label")),
                self.fill(detail.value, scope, (*path, "details", number, "value")),
            )
            for number, detail in enumerate(block.details)
        ]
        details = [(label, value) for label, value in details if value.strip()]
        return cover_item(fill("kicker"), fill("title"), fill("subtitle"), fill("name"), details, fill("note"))

    def _each(self, block: b.Each, path: Path, scope: Mapping[str, Any], measure: float) -> list[Item]:
        items: list[Item] = []
        for element in self.sequence(block.items, scope, (*path, "items")):
            items += self._column(block.blocks, (*path, "blocks"), {**scope, block.each: element}, measure)
        return items

    def _columns(self, block: b.Columns, path: Path, scope: Mapping[str, Any], measure: float) -> list[Item]:
        known, height = len(self.headings), self._height
        narrow = (measure - GUTTER) * block.share
        wide = measure - GUTTER - narrow
        left = self._column(block.left, (*path, "left"), scope, narrow)
        right = self._column(block.right, (*path, "right"), scope, wide)
        if max(total(left), total(right)) > BODY_HEIGHT - 4 * GRID:
            del self.headings[known:], left, right  # both columns are composed anew, in the full measure
            self._height = height
            return self._column(block.left, (*path, "left"), scope, measure) + self._column(
                block.right, (*path, "right"), scope, measure
            )
        first, second = boxed(left), boxed(right)
        height = max(first.height, second.height)

        def draw(place: Any, x: float, top: float) -> None:
            first.draw(place, x, top)
            second.draw(place, x + narrow + GUTTER, top)

        return [Item(height, draw, before=HALF, headings=(*first.headings, *second.headings))]

    def _table(self, block: b.Table, path: Path, scope: Mapping[str, Any], measure: float) -> list[Item]:
        rows: list[list[Cell]] = []
        for element in self.sequence(block.rows, scope, (*path, "rows"), LEAST_ROW):
            inner = {**scope, block.each: element}
            rows.append(
                [self._cell(column, (*path, "columns", number), inner) for number, column in enumerate(block.columns)]
            )
        title = self.fill(block.title, scope, (*path, "title"))
        if not rows:
            drawn = text_items(self.fill(block.empty, scope, (*path, "empty")), "body", measure)
        else:
            drawn = table_items(block.columns, rows, measure)
        return self._captioned(title, block.caption, drawn, path, scope, measure)

    def _cell(self, column: b.Column, path: Path, scope: Mapping[str, Any]) -> Cell:
        if column.meter:
            scale = self.template.layout.scales[column.meter]
            return Cell(value=self.measured(column.cell, scope, (*path, "cell")), scale=scale)
        return Cell(self.fill(column.cell, scope, (*path, "cell")))

    def _chart(
        self, block: b.Bars | b.Radar | b.Profile, path: Path, scope: Mapping[str, Any], measure: float
    ) -> list[Item]:
        data: list[Datum] = []
        least = HALF / 2 if isinstance(block, b.Radar) else LEAST_ROW
        for element in self.sequence(block.items, scope, (*path, "items"), least):
            inner = {**scope, block.each: element}
            data.append(
                Datum(
                    self.fill(block.label, inner, (*path, "label")),
                    self.measured(block.value, inner, (*path, "value")),
                    self.fill(block.note, inner, (*path, "note")) if isinstance(block, b.Bars) else "",
                    self.fill(block.opposite, inner, (*path, "opposite")) if isinstance(block, b.Profile) else "",
                )
            )
        title = self.fill(block.title, scope, (*path, "title"))
        scale = self.template.layout.scales[block.scale]
        draw = {b.Bars: bars_items, b.Radar: radar_items, b.Profile: profile_items}[type(block)]
        drawn = draw(title, data, scale, measure) if data else text_items("Tidak ada data.", "body", measure)
        return self._captioned(title, block.caption, drawn, path, scope, measure)

    def _captioned(
        self,
        title: str,
        caption: str,
        drawn: list[Item],
        path: Path,
        scope: Mapping[str, Any],
        measure: float,
    ) -> list[Item]:
        items = title_items(title, measure) if title else []
        below = caption_items(self.fill(caption, scope, (*path, "caption")), measure) if caption else []
        if below and drawn:
            drawn[-1].keep = True
        items = [*items, *drawn, *below]
        if items:
            items[0].before = GRID
        return items

    def _append(self, column: list[Item], block: b.Block, made: list[Item], starts: bool) -> bool:
        """Add a block's items, on a page of their own if it `starts` one; returns whether that is still to be done.

        A closing line in small type is not left alone at the top of a page.
        """
        if made and starts:
            self._start_page(made[0])
        if isinstance(block, b.Text) and block.style == "small" and column and made and not made[0].starts_page:
            column[-1].keep = True
        if not isinstance(block, (b.Columns, b.Each, b.When)):  # what stands in those has been noted
            self._grow(total(made))
        column += made
        return starts and not made
