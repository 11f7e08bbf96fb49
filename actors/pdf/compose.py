"""From a template's blocks and a report's data to the items of the flow."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from actors.pdf.drawing.charts.bars import bars_items
from actors.pdf.drawing.charts.gauge import gauge_items
from actors.pdf.drawing.charts.parts import Chart, Datum
from actors.pdf.drawing.charts.profile import profile_items
from actors.pdf.drawing.charts.radar import radar_items
from actors.pdf.drawing.front import contents_items, cover_item
from actors.pdf.drawing.marks import QR_BYTES, level, qr_item, rule_item, signature_item, spacer_item
from actors.pdf.drawing.pictures import image_item
from actors.pdf.drawing.prose import callout_items, caption_items, heading_items, text_items, title_items
from actors.pdf.drawing.tables import LEAST_ROW, Cell, table_items
from actors.pdf.filling import Filling, Spot
from actors.pdf.page.flow import Item, Place, boxed, keep_last, total
from actors.pdf.product import blocks as b
from actors.pdf.product.values import Texts
from actors.pdf.product.values import number as printed
from actors.pdf.product.wording import words
from actors.pdf.style import GRID, GUTTER, HALF, READABLE, sheet
from actors.pdf.text.words import unmarked

Captioned = b.Table | b.Bars | b.Radar | b.Profile | b.Gauge | b.Image | b.Qr
UNEVEN, SHIFT = 3 * GRID, 0.08  # columns that differ by more get other widths, if that makes the whole lower


@dataclass
class Composer(Filling):
    """Walks the blocks of one document."""

    progress: Callable[[float], None]  # share of the blocks that are composed, 0 to 1
    headings: list[tuple[int, int, str]] = field(default_factory=list)
    _contents: list[tuple[int, b.Contents]] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)  # levels of the headings that what follows stands below

    def items(self) -> list[Item]:
        """The whole document as one column."""
        layout = self.template.layout
        scope = Texts(self.template.texts, self.template.expressions.fill, {}).within(self.report)
        at = Spot(("blocks",), scope, sheet().measure)
        column: list[Item] = []
        starts = False
        for number, block in enumerate(layout.blocks):
            if isinstance(block, b.Contents):
                self._contents.append((len(column), block))
            else:
                starts = self._append(column, block, at.below(number), starts)
            self.progress((number + 1) / len(layout.blocks))
        self._insert_contents(column)
        return column

    def _insert_contents(self, column: list[Item]) -> None:
        for place, block in reversed(self._contents):
            listed = [entry for entry in self.headings if entry[1] < 3]
            if len(listed) < block.at_least:
                continue
            measure = sheet().measure
            made = heading_items(block.title or words().contents, 1, measure, -1, 1) + contents_items(listed, measure)
            made[0].starts_page = True
            column[place:place] = made

    def _column(self, column: Sequence[b.Block], at: Spot) -> list[Item]:
        items: list[Item] = []
        starts = False
        for number, block in enumerate(column):
            starts = self._append(items, block, at.below(number), starts)
        return items

    def _block(self, block: b.Block, at: Spot) -> list[Item]:
        match block:
            case b.Heading():
                text = self._fill(block, "text", at)
                if not text.strip():
                    return []
                number = len(self.headings)
                self.headings.append((number, block.level, text))
                items = heading_items(text, block.level, at.measure, number, self._depth(block.level))
                if block.new_page:
                    items[0].new_page = True
                    self._grow(sheet().body)
                return items
            case b.Text():
                return text_items(self._fill(block, "text", at), block.style, min(at.measure, READABLE))
            case b.Table():
                return self._table(block, at)
            case b.Bars() | b.Radar() | b.Profile():
                return self._chart(block, at)
            case b.Gauge():
                scale = self.template.layout.scales[block.scale]
                value = self._measured(block, "value", at)
                title = self._fill(block, "title", at)
                data = [Datum(title, value, span=self._span(block, scale, value, at))]
                chart = Chart(title, data, scale, at.measure, self._optional(block, "reference", at))
                return self._captioned(title, block, gauge_items(chart), at)
            case b.Callout():
                title = self._fill(block, "title", at)
                return callout_items(title, self._fill(block, "text", at), min(at.measure, READABLE))
            case b.Columns():
                return self._columns(block, at)
            case b.Image():
                drawing = self._picture(block, at)
                drawn = [image_item(drawing, at.measure * block.width, at.measure)] if drawing else []
                return self._captioned("", block, drawn, at) if drawn else []
            case b.Qr():
                return self._qr(block, at)
            case b.Signature():
                where = ", ".join(said for field in ("place", "date") if (said := self._fill(block, field, at)).strip())
                picture = self._picture(block.picture, at.below("picture")) if block.picture else None
                name, licence = self._fill(block, "name", at), self._fill(block, "licence", at)
                return [signature_item(where, name, licence, picture, block.align, at.measure)]
            case b.Rule():
                return [rule_item(at.measure)]
            case b.Spacer():
                return [spacer_item(block.lines)]
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

    def _cover(self, block: b.Cover, at: Spot) -> Item:
        texts = [self._fill(block, field, at) for field in ("kicker", "title", "subtitle", "name", "note")]
        details = []
        for number, detail in enumerate(block.details):
            below = at.below("details", number)
            label, value = self._fill(detail, "label", below), self._fill(detail, "value", below)
            if value.strip():
                details.append((label, value))
        picture = self._picture(block.picture, at.below("picture")) if block.picture else None
        return cover_item(texts, details, picture, self.logo())

    def _qr(self, block: b.Qr, at: Spot) -> list[Item]:
        content = unmarked(self._fill(block, "content", at)).strip().encode("utf-8", "replace")
        if not content:
            return []
        if len(content) > QR_BYTES:
            raise self._misfit(f"{block.content.strip()} has more than {QR_BYTES} bytes for a QR code", block.content)
        drawn = [qr_item(content.decode(), self._fill(block, "alternative", at), at.measure * block.width, at.measure)]
        return self._captioned("", block, drawn, at)

    def _columns(self, block: b.Columns, at: Spot) -> list[Item]:
        if sheet().narrow:
            return self._column(block.left, at.below("left")) + self._column(block.right, at.below("right"))
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
        if not block.share and abs(longer) > UNEVEN and tall <= sheet().body:
            left, right, narrow = tried(0.5 + math.copysign(SHIFT, longer))
            if max(total(left), total(right)) > tall - GRID:
                left, right, narrow = tried(0.5)
        if max(total(left), total(right)) > sheet().body - 4 * GRID:
            del self.headings[known:], left, right  # both columns are composed again, in the full measure
            self._height, self._open = composed, opened
            return self._column(block.left, left_spot) + self._column(block.right, right_spot)
        level(left, right)
        first, second = boxed(left), boxed(right)
        height = max(first.height, second.height)

        def draw(place: Place, x: float, top: float) -> None:
            first.draw(place, x, top)
            second.draw(place, x + narrow + GUTTER, top)

        heads = [column[0].before for column in (left, right) if column and (column[0].headings or column[0].closing)]
        made = Item(height, draw, before=max([HALF, *heads]), headings=(*first.headings, *second.headings))
        made.closing = any(column and column[-1].closing for column in (left, right))
        return [made]

    def _table(self, block: b.Table, at: Spot) -> list[Item]:
        shown = [
            (number, structs.replace(column, title=self._fill(column, "title", at.below("columns", number))))
            for number, column in enumerate(block.columns)
            if not column.test or self._evaluate(column, "test", at.below("columns", number))
        ]
        rows: list[list[Cell]] = []
        values: dict[int, list[float]] = {number: [] for number, _ in shown}
        for element in self._elements(block, "rows", at, LEAST_ROW):
            inner = at.below("columns", **{block.each: element})
            rows.append([])
            for number, column in shown:
                spot = inner.below(number)
                value = self._optional(column, "value", spot)
                values[number] += [] if value is None else [value]
                rows[-1].append(self._cell(column, value, spot))
        title = self._fill(block, "title", at)
        if not rows or not shown:
            drawn = text_items(self._fill(block, "empty", at) or words().nothing, "body", at.measure)
        else:
            first = next((place for place, (_, column) in enumerate(shown) if column.total), 0)
            totals = [Cell(self._fill(block, "totals", at))] if first else []
            for number, column in shown[first:] if first else ():
                totals.append(Cell(self._total(column, values[number]) if column.total else ""))
            drawn = table_items([column for _, column in shown], rows, at.measure, totals)
        return self._captioned(title, block, drawn, at)

    def _cell(self, column: b.Column, value: float | None, at: Spot) -> Cell:
        if column.cell is None:
            return Cell(printed(value, column.decimals))
        if column.meter:
            scale, score = self.template.layout.scales[column.meter], self._measured(column, "cell", at)
            return Cell(value=score, scale=scale, span=self._span(column, scale, score, at))
        return Cell(self._fill(column, "cell", at))

    def _chart(self, block: b.Bars | b.Radar | b.Profile, at: Spot) -> list[Item]:
        data: list[Datum] = []
        scale = self.template.layout.scales[block.scale]
        least = HALF / 2 if isinstance(block, b.Radar) else LEAST_ROW
        for element in self._elements(block, "items", at, least):
            inner = at.below(**{block.each: element})
            value = self._measured(block, "value", inner)
            names = (name for name in ("label", "note", "opposite", "name") if hasattr(block, name))
            texts = {name: self._fill(block, name, inner) for name in names}
            data.append(Datum(**texts, value=value, span=self._span(block, scale, value, inner)))
        title = self._fill(block, "title", at)
        chart = Chart(title, data, scale, at.measure, self._optional(block, "reference", at))
        draw = {b.Bars: bars_items, b.Radar: radar_items, b.Profile: profile_items}[type(block)]
        none = () if data else text_items(words().nothing, "body", at.measure)
        return self._captioned(title, block, [*none] or draw(chart), at)

    def _captioned(self, title: str, block: Captioned, drawn: list[Item], at: Spot) -> list[Item]:
        items = title_items(title, at.measure) if title else []
        centred = isinstance(block, b.Image | b.Qr)
        below = caption_items(self._fill(block, "caption", at), at.measure, centred=centred) if block.caption else []
        if below and drawn:
            drawn[-1].keep = True
        items = [*items, *drawn, *below]
        if items:
            items[0].before = GRID
        return items

    def _append(self, column: list[Item], block: b.Block, at: Spot, starts: bool) -> bool:
        """Add a block's items, on a new page with `starts`; returns whether the next block must still start that page.

        Three lines of text at least stand above the last block: a line in small type, or a signature. That includes
        signatures in `columns` or in `when`.
        """
        if isinstance(block, b.PageBreak):
            return True
        made = self._block(block, at)
        if made and starts:
            made[0].starts_page = True
            self._grow(sheet().body)
        if made and isinstance(block, b.Text) and block.style == "small":
            made[0].closing = True
        if made and made[0].closing and not made[0].starts_page:
            keep_last(column, 3, 3 * GRID)
        if not isinstance(block, (b.Columns, b.Each, b.When)):  # the items inside those are counted already
            self._grow(total(made))
        column += made
        return starts and not made
