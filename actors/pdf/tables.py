"""Tables: rows that stay whole, numbers set in columns, little meters; where they break, `page/flow.py` decides."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import structs

from actors.pdf.page.flow import ARTIFACT, Item, Place, Tag, headed, keep, keep_rows
from actors.pdf.product.blocks import Column
from actors.pdf.product.filters import spoken
from actors.pdf.product.measure import Scale, Span
from actors.pdf.prose import height_of, put, snapped, text_lines
from actors.pdf.scales import Track
from actors.pdf.style import CELL, CELL_HEAD, CELL_STRONG, DEEP, GRID, HALF, PALE, RULE, Type, sheet
from actors.pdf.text.linebreak import Line
from actors.pdf.text.words import emphasis, measured

WORD = 0.25  # of a narrow measure: columns make room for a word that is no wider
METER_HEIGHT = 7.0
QUARTER = HALF / 2  # rows of half lines are too tight or too wide; the table as a whole ends on the grid
LEAST_ROW = CELL.leading + 6
SHORT = 16 * GRID


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one cell: a text, or a number on a scale."""

    text: str = ""
    value: float | None = None
    scale: Scale | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class _Shape:
    """The columns of a table, how wide each is, and how wide all are, in points."""

    columns: Sequence[Column]
    widths: Sequence[float]
    measure: float


def column_widths(columns: Sequence[Column], measure: float) -> list[float]:
    """Shares turned into points; columns without a share divide what is left."""
    given = sum(column.width or 0.0 for column in columns)
    open_ones = [column for column in columns if column.width is None]
    rest = max(0.0, 1.0 - given)
    each = rest / len(open_ones) if open_ones and rest > 0.04 * len(open_ones) else 0.1
    shares = [column.width or each for column in columns]
    return [share / sum(shares) * measure for share in shares]


def pad() -> float:
    """Points between a column's edge and its text."""
    return 3.0 if sheet().narrow else 5.0


def roomy(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], widths: Sequence[float], measure: float
) -> Sequence[float]:
    """Columns as wide as their widest words and numbers, at the expense of the others; as they are if that is impossible."""
    needs = []
    for place, column in enumerate(columns):
        texts = [(column.title, CELL_HEAD), *((row[place].text, _type_of(column)) for row in rows)]
        words = (chunk.width for text, type_ in texts for line in measured(emphasis(text), type_) for chunk in line)
        needs.append(min(max(words, default=0.0), WORD * measure) + 2 * pad())
    both = list(zip(widths, needs, strict=True))
    short = sum(max(need - width, 0.0) for width, need in both)
    spare = sum(max(width - need, 0.0) for width, need in both)
    if short > spare:
        return widths
    return [max(need, width - max(width - need, 0.0) * short / (spare or 1.0)) for width, need in both]


def table_items(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], measure: float, totals: Sequence[Cell] = ()
) -> list[Item]:
    """The head, the rows, and the totals of the last columns after their label, which spans the others.

    Only a row that is taller than a page is divided.
    """
    widths: Sequence[float] = column_widths(columns, measure)
    span = len(columns) - len(totals) + 1
    if sheet().narrow:
        sums = [[Cell()] * span + list(totals[1:])] if totals else []
        widths = roomy(columns, [*rows, *sums], widths, measure)
    table, shape = Tag("Table"), _Shape(columns, widths, measure)
    head = _head(shape, Tag("TR", table))
    parts = [part for row in rows for part in _row(shape, row, Tag("TR", table), head.height)]
    if totals:
        joined = [structs.replace(column, strong=True) for column in (columns[0], *columns[span:])]
        whole = _Shape(joined, [sum(widths[:span]), *widths[span:]], measure)
        last = _row(whole, totals, Tag("TR", table), head.height, span)
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


def _type_of(column: Column) -> Type:
    return CELL_STRONG if column.strong else CELL


def _room(width: float) -> float:
    """What a column's padding leaves for its text."""
    return max(width - 2 * pad(), 12.0)


def _head(shape: _Shape, row: Tag) -> Item:
    columns, widths, measure = shape.columns, shape.widths, shape.measure
    tags = [Tag("TH", row, attributes="<</O/Table/Scope/Column>>") for _ in columns]
    cells = [text_lines(column.title, CELL_HEAD, _room(width)) for column, width in zip(columns, widths, strict=True)]
    tallest = max(height_of(lines, CELL_HEAD) for lines in cells)
    height = math.ceil((tallest + 7) / HALF) * HALF

    def draw(place: Place, x: float, top: float) -> None:
        canvas = place.canvas
        canvas.muted = place.document.structure.knows(row)  # on a table's later pages it is not read out again
        with place.tagged(ARTIFACT):
            canvas.rule(x, top, x + measure, top, DEEP, 1.1)
            canvas.rule(x, top + height, x + measure, top + height, DEEP, 0.5)
        left = x
        for lines, column, width, tag in zip(cells, columns, widths, tags, strict=True):
            block = height_of(lines, CELL_HEAD)
            with place.tagged(tag):
                put(place, lines, CELL_HEAD, left + pad(), top + height - block - 3, _room(width), column.align)
            left += width
        canvas.muted = False

    return Item(height, draw, before=HALF, keep=True)


def _row(shape: _Shape, row: Sequence[Cell], whole: Tag, head: float, label: int = 0) -> list[Item]:
    """A row, in parts that fit below a head of `head` points; its first cell may be the `label` of that many columns."""
    tags = [Tag("TD", whole) for _ in row]
    if label:
        tags[0] = Tag("TH", whole, attributes=f"<</O/Table/Scope/Row/ColSpan {label}>>")
    rooms = zip(row, map(_type_of, shape.columns), map(_room, shape.widths), strict=True)
    cells = [[] if cell.scale else text_lines(cell.text, type_, room) for cell, type_, room in rooms]
    tallest = max((len(lines) for lines in cells), default=1) or 1
    deepest = max((line.below for lines in cells for line in lines), default=0.0)
    fitting = int((sheet().body - max(6 * GRID, head + GRID)) // (CELL.leading + deepest))
    items: list[Item] = []
    for first in range(0, tallest, fitting):
        part = [lines[first : first + fitting] for lines in cells]
        items.append(_row_part(shape, part, () if first else row, tags))
    return items


def _row_part(shape: _Shape, cells: Sequence[Sequence[Line]], meters: Sequence[Cell], tags: Sequence[Tag]) -> Item:
    tallest = max(CELL.leading, *(height_of(lines, CELL) for lines in cells))
    height = math.ceil((LEAST_ROW - CELL.leading + tallest) / QUARTER) * QUARTER
    above = (height - tallest) / 2

    def draw(place: Place, x: float, top: float) -> None:
        with place.tagged(ARTIFACT):
            place.canvas.rule(x, top + height, x + shape.measure, top + height, RULE, 0.35)
        left = x
        for number, (lines, column, width) in enumerate(zip(cells, shape.columns, shape.widths, strict=True)):
            place.document.structure.element(tags[number])  # an empty cell is a cell
            if lines:
                with place.tagged(tags[number]):
                    put(place, lines, _type_of(column), left + pad(), top + above, _room(width), column.align)
            elif meters and (scale := meters[number].scale):
                cell = meters[number]
                with place.tagged(Tag("Figure", tags[number], spoken(scale, cell.value, cell.span))):
                    _draw_meter(place, cell, left + pad(), top + above + CELL.leading / 2, width - 2 * pad())
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
