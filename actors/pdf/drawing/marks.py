"""The small parts of a report: a QR code, a signature, a rule, white space."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import segno

from actors.pdf.drawing.pictures import Drawing, figure_tag
from actors.pdf.drawing.prose import height_of, plain_lines, put
from actors.pdf.page.flow import ARTIFACT, Item, Place, Tag, total
from actors.pdf.style import BODY, CAPTION, GRID, HALF, INK, RULE, sheet

QR_BYTES = 600  # Most bytes in a code. With more, its squares are too small for a telephone.
QUIET_ZONE = 4  # Squares that must stay white around a code (ISO/IEC 18004).
LEAST_SQUARE = 0.85  # Points of a square. Telephones cannot read smaller ones, so a code may be wider than asked.
TALLEST_LINE = 1.5 * GRID  # A line with a name in a script that reaches far down.
SIGNATURE, WIDE = 4 * GRID, 240.0  # Room to sign in: its height and its greatest width.


def qr_item(content: str, alternative: str, width: float, measure: float) -> Item:
    """The code as wide as `width` points with its white edge, centred; as shapes, which stay sharp in print."""
    matrix: Sequence[Sequence[int]] = segno.make(content, error="m", micro=False).matrix
    across = len(matrix) + 2 * QUIET_ZONE
    width = min(max(width, LEAST_SQUARE * across), measure, sheet().body - 6 * GRID)
    size = width / across

    def runs() -> Iterator[tuple[int, int, int]]:
        for row, squares in enumerate(matrix):
            column = 0
            for dark, run in groupby(squares):
                count = len(list(run))
                if dark:
                    yield column, row, count
                column += count

    def draw(place: Place, x: float, top: float) -> None:
        edge = QUIET_ZONE * size
        place.canvas.squares(runs(), x + (measure - width) / 2 + edge, top + edge, size, INK)

    return Item(math.ceil(width / HALF) * HALF, draw, before=HALF, tag=figure_tag(alternative))


def signature_item(where: str, name: str, licence: str, picture: Drawing | None, align: str, measure: float) -> Item:
    """Place and date, room for a hand or the picture of one, a rule, name and licence; on half of a wide measure."""
    width = measure if measure < WIDE else min(measure / 2, WIDE)
    most = int((sheet().body - SIGNATURE - 4 * GRID) / TALLEST_LINE / 4)  # half of the lines that fit are the name's
    first = plain_lines(where, BODY, width, most) if where.strip() else []
    named = plain_lines(name, replace(BODY, plain="bold"), width, 2 * most)
    licensed = plain_lines(licence, CAPTION, width, most) if licence.strip() else []
    height = height_of(first, BODY) + SIGNATURE + height_of(named, BODY) + height_of(licensed, CAPTION) + 4

    def draw(place: Place, x: float, top: float) -> None:
        x += measure - width if align == "right" else 0.0
        if first:
            with place.tagged(Tag("P")):
                top = put(place, first, BODY, x, top)
        if picture:
            wide, high = picture.within(width, SIGNATURE - 6)
            with place.tagged(picture.tag()):
                picture.put(place, x, top + SIGNATURE - 2 - high, wide, high)
        with place.tagged(ARTIFACT):
            place.canvas.rule(x, top + SIGNATURE, x + width, top + SIGNATURE, RULE, 0.6)
        with place.tagged(Tag("P")):
            top = put(place, named, BODY, x, top + SIGNATURE + 4)
            put(place, licensed, CAPTION, x, top)

    signed = height_of(first, BODY) + SIGNATURE
    return Item(math.ceil(height / HALF) * HALF, draw, before=GRID, closing=True, signed=signed)


def level(left: list[Item], right: list[Item]) -> None:
    """Let the signatures at the end of two columns have their rules at one height."""
    if not (left and right) or left[-1].signed is None or right[-1].signed is None:
        return
    down = [total(column) - column[-1].height + (column[-1].signed or 0.0) for column in (left, right)]
    higher = left if down[0] < down[1] else right
    if len(higher) == 1:  # white space before a column's first item is dropped
        higher.insert(0, Item(0.0, lambda place, x, top: None, tag=ARTIFACT))
        higher[-1].before = 0.0
    higher[-1].before += abs(down[0] - down[1])


def rule_item(measure: float) -> Item:
    """A thin line, read out by nobody."""

    def draw(place: Place, x: float, top: float) -> None:
        place.canvas.rule(x, top + HALF / 2, x + measure, top + HALF / 2, RULE, 0.6)

    return Item(HALF, draw, before=HALF, tag=ARTIFACT)


def spacer_item(lines: int) -> Item:
    """White space of some lines before what follows, and none at the head of a page."""
    return Item(0.0, lambda place, x, top: None, before=lines * GRID, keep=True)
