"""Tables: numbers in columns, little meters, rows that stay whole and together; where a page ends, `page/flow.py` decides."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from msgspec import structs

from actors.pdf.drawing.prose import height_of, put, snapped, text_lines
from actors.pdf.drawing.scales import Track
from actors.pdf.page.flow import ARTIFACT, Item, Place, Tag, headed, keep, keep_rows
from actors.pdf.product.blocks import Column
from actors.pdf.product.filters import spoken
from actors.pdf.product.measure import Scale, Span
from actors.pdf.style import CELL, CELL_HEAD, CELL_STRONG, DEEP, GRID, HALF, PALE, RULE, Type, sheet
from actors.pdf.text.linebreak import Line
from actors.pdf.text.words import emphasis, measured

WORD, NUMBER = 0.25, 0.6  # Shares of the measure. Columns make room for words and numbers up to these widths.
LEAST_WORD = 42.0  # Points that numbers leave at least for a word in a column of text.
METER_HEIGHT = 7.0
QUARTER = HALF / 2  # rows of half lines are too tight or too wide; the table as a whole ends on the grid
LEAST_ROW = CELL.leading + 6
SHORT = 16 * GRID
SIZES = (1.0, 0.92, 0.84, 0.76)  # parts of the usual size; the last gives letters of 6.2 points
_DIGIT = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one cell: a text, or a number on a scale."""

    text: str = ""
    value: float | None = None
    scale: Scale | None = None
    span: Span | None = None


Row = Sequence[Cell]


@dataclass(frozen=True, slots=True)
class _Grid:
    """The columns of a table: where their cells stand, in points, and how they are set."""

    columns: Sequence[Column]
    widths: Sequence[float]
    measure: float
    plain: Type
    strong: Type
    head: Type
    pad: float

    @classmethod
    def of(cls, columns: Sequence[Column], rows: Sequence[Row], sums: Row, measure: float) -> "_Grid":
        """With room for the cells, set in the part of the usual size that this takes; lines keep their distance."""
        widths, size = roomy(columns, rows, sums, measure)
        plain, strong, head = (replace(one, size=one.size * size) for one in (CELL, CELL_STRONG, CELL_HEAD))
        return cls(columns, widths, measure, plain, strong, head, pad(size))

    def type_of(self, column: Column) -> Type:
        return self.strong if column.strong else self.plain

    def room(self, width: float) -> float:
        """What a column's padding leaves for its text."""
        return max(width - 2 * self.pad, 12.0)


def column_widths(columns: Sequence[Column], measure: float) -> list[float]:
    """Shares turned into points; columns without a share divide what is left."""
    given = sum(column.width or 0.0 for column in columns)
    open_ones = [column for column in columns if column.width is None]
    rest = max(0.0, 1.0 - given)
    each = rest / len(open_ones) if open_ones and rest > 0.04 * len(open_ones) else 0.1
    shares = [column.width or each for column in columns]
    return [share / sum(shares) * measure for share in shares]


def pad(size: float) -> float:
    """Points between a column's edge and its text, which is set in a part of the usual size."""
    return 3.0 if sheet().narrow or size < 1.0 else 5.0


def roomy(columns: Sequence[Column], rows: Sequence[Row], sums: Row, measure: float) -> tuple[Sequence[float], float]:
    """Columns as wide as their widest words and numbers, at the expense of the others, and the size that this takes.

    Words without room are divided. For numbers, which are never divided, the size falls to a part of the usual one. A
    number without room in the least size is broken, and the columns share that evenly.
    """
    widths = column_widths(columns, measure)
    words, numbers = list[float](), list[float]()
    for place, column in enumerate(columns):
        type_ = CELL_STRONG if column.strong else CELL
        texts = [(column.title, CELL_HEAD), *((row[place].text, type_) for row in rows)]
        texts += [(sums[place].text, CELL_STRONG)] if sums else []
        word = number = 0.0
        for text, style in texts:
            for chunk in chain.from_iterable(measured(emphasis(text), style)):
                if chunk.width > word:
                    word = chunk.width
                if chunk.width > number and not _DIGIT.isdisjoint(chunk.text):
                    number = chunk.width
        words.append(min(word, WORD * measure))
        numbers.append(min(number, NUMBER * measure))
    whole = [max(pair) for pair in zip(words, numbers, strict=True)]
    tight = [max(number, min(word, LEAST_WORD)) for word, number in zip(words, numbers, strict=True)]
    for size, wanted in ((1.0, whole), *((size, tight) for size in SIZES)):
        both = [(width, size * want + 2 * pad(size)) for width, want in zip(widths, wanted, strict=True)]
        short = sum(max(need - width, 0.0) for width, need in both)
        spare = sum(max(width - need, 0.0) for width, need in both)
        if short <= spare:
            return [max(need, width - max(width - need, 0.0) * short / (spare or 1.0)) for width, need in both], size
    needs = [SIZES[-1] * want + 2 * pad(SIZES[-1]) for want in tight]
    return [measure * need / sum(needs) for need in needs], SIZES[-1]


def table_items(columns: Sequence[Column], rows: Sequence[Row], measure: float, totals: Row = ()) -> list[Item]:
    """The head, the rows, and the totals of the last columns after their label, which spans the others.

    Only a row that is taller than a page is divided.
    """
    span = len(columns) - len(totals) + 1
    sums = [Cell()] * span + list(totals[1:]) if totals else []
    table, grid = Tag("Table"), _Grid.of(columns, rows, sums, measure)
    head = _head(grid, Tag("TR", table))
    parts = [part for row in rows for part in _row(row, grid, Tag("TR", table), head.height)]
    if totals:
        joined = [structs.replace(column, strong=True) for column in (columns[0], *columns[span:])]
        whole = replace(grid, columns=joined, widths=[sum(grid.widths[:span]), *grid.widths[span:]])
        last = _row(totals, whole, Tag("TR", table), head.height, span)
        _ruled(last[0], 0.0, measure, 0.5)
        keep(parts[-1:])
        parts += last
    items = headed(head, parts)
    _ruled(items[-1], items[-1].height, measure, 0.7)
    snapped(items)
    keep_rows(items, SHORT)
    return items


def _ruled(item: Item, down: float, measure: float, width: float) -> None:
    inner = item.draw

    def draw(place: Place, x: float, top: float) -> None:
        inner(place, x, top)
        with place.tagged(ARTIFACT):
            place.canvas.rule(x, top + down, x + measure, top + down, DEEP, width)

    item.draw = draw


def _head(grid: _Grid, row: Tag) -> Item:
    tags = [Tag("TH", row, attributes="<</O/Table/Scope/Column>>") for _ in grid.columns]
    type_, measure = grid.head, grid.measure
    rooms = [grid.room(width) for width in grid.widths]
    cells = [text_lines(column.title, type_, room) for column, room in zip(grid.columns, rooms, strict=True)]
    tallest = max(height_of(lines, type_) for lines in cells)
    height = math.ceil((tallest + 7) / HALF) * HALF

    def draw(place: Place, x: float, top: float) -> None:
        canvas = place.canvas
        canvas.muted = place.document.structure.knows(row)  # on a table's later pages it is not read out again
        with place.tagged(ARTIFACT):
            canvas.rule(x, top, x + measure, top, DEEP, 1.1)
            canvas.rule(x, top + height, x + measure, top + height, DEEP, 0.5)
        left = x
        for lines, column, width, room, tag in zip(cells, grid.columns, grid.widths, rooms, tags, strict=True):
            block = height_of(lines, type_)
            with place.tagged(tag):
                put(place, lines, type_, left + grid.pad, top + height - block - 3, room, column.align)
            left += width
        canvas.muted = False

    return Item(height, draw, before=HALF, keep=True)


def _row(row: Row, grid: _Grid, whole: Tag, head: float, label: int = 0) -> list[Item]:
    """A row, in parts that fit below a head of `head` points; its first cell may be the `label` of that many columns."""
    tags = [Tag("TD", whole) for _ in row]
    if label:
        tags[0] = Tag("TH", whole, attributes=f"<</O/Table/Scope/Row/ColSpan {label}>>")
    cells = [
        [] if cell.scale else text_lines(cell.text, grid.type_of(column), grid.room(width))
        for cell, column, width in zip(row, grid.columns, grid.widths, strict=True)
    ]
    tallest = max((len(lines) for lines in cells), default=1) or 1
    deepest = max((line.below for lines in cells for line in lines), default=0.0)
    fitting = int((sheet().body - max(6 * GRID, head + GRID)) // (CELL.leading + deepest))
    items: list[Item] = []
    for first in range(0, tallest, fitting):
        part = [lines[first : first + fitting] for lines in cells]
        items.append(_row_part(part, () if first else row, grid, tags))
    return items


def _row_part(cells: Sequence[Sequence[Line]], meters: Row, grid: _Grid, tags: Sequence[Tag]) -> Item:
    tallest = max(CELL.leading, *(height_of(lines, CELL) for lines in cells))
    height = math.ceil((LEAST_ROW - CELL.leading + tallest) / QUARTER) * QUARTER
    above = (height - tallest) / 2

    def draw(place: Place, x: float, top: float) -> None:
        with place.tagged(ARTIFACT):
            place.canvas.rule(x, top + height, x + grid.measure, top + height, RULE, 0.35)
        left = x
        for number, (lines, column, width) in enumerate(zip(cells, grid.columns, grid.widths, strict=True)):
            place.document.structure.element(tags[number])  # an empty cell is a cell
            if lines:
                with place.tagged(tags[number]):
                    type_, room = grid.type_of(column), grid.room(width)
                    put(place, lines, type_, left + grid.pad, top + above, room, column.align)
            elif meters and (scale := meters[number].scale):
                cell = meters[number]
                with place.tagged(Tag("Figure", tags[number], spoken(scale, cell.value, cell.span))):
                    middle = top + above + CELL.leading / 2
                    _draw_meter(place, cell, left + grid.pad, middle, width - 2 * grid.pad)
            left += width

    return Item(height, draw)


def _draw_meter(place: Place, cell: Cell, x: float, middle: float, width: float) -> None:
    """A scale's bands in small with the interval, the mean, and a mark where the value stands."""
    scale, value = cell.scale, cell.value
    assert scale is not None
    track = Track(place, scale, x, width)
    track.bands(middle - METER_HEIGHT / 2, METER_HEIGHT, gap=0.6)
    if value is None:
        place.canvas.rule(x, middle, x + width, middle, PALE, 0.5)
        return
    track.interval(cell.span, middle, METER_HEIGHT - 2)
    track.lines(middle - METER_HEIGHT / 2, METER_HEIGHT)
    track.deviation(value, middle, 2.2 if cell.span is None else 1.4)
    track.mark(value, middle, 2.9)
