"""The first page, the table of contents, and what stands at the head and foot of every other page."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

from actors.pdf.drawing.pictures import Drawing
from actors.pdf.drawing.prose import balanced_lines, baseline, height_of, line_item, opening, plain_lines, put
from actors.pdf.page.flow import ARTIFACT, Draw, Item, Place, Tag, keep
from actors.pdf.product.values import escaped
from actors.pdf.product.wording import words
from actors.pdf.style import (
    A4,
    ACCENT,
    BODY,
    COVER_LABEL,
    COVER_NAME,
    COVER_SUBTITLE,
    COVER_TITLE,
    COVER_VALUE,
    DEEP,
    FURNITURE,
    GRID,
    GUTTER,
    HALF,
    RULE,
    TINT,
    WHITE,
    Type,
    sheet,
)
from actors.pdf.text.linebreak import Line
from actors.pdf.text.words import unmarked

DETAIL, LEAST_DETAIL = 150.0, 110.0  # Points for a detail of the cover beside others; the least for two.
LOGO_WIDTH = 0.35  # At most this share of the measure.
SMALLEST = 9.0  # Points; no name or title is set smaller.
_Row = tuple[list[tuple[str, list[Line]]], float]  # Labels and values side by side, and their height.


def cover_item(
    texts: Sequence[str], details: Sequence[tuple[str, str]], picture: Drawing | None, logo: Drawing | None
) -> Item:
    """The whole first page, with kicker, title, subtitle, name and note as `texts`.

    Type sizes give way when a name or a title is long. The logo hangs on white from the top.
    """
    kicker, title, subtitle, name, note = texts

    def draw(place: Place, _x: float, _top: float) -> None:
        canvas, page = place.canvas, sheet()
        left, measure, band = page.left, page.measure, page.band * GRID
        above, most, spare = (42.0, (1, 2), 6.5 * GRID) if page.low else (page.top, (2, 3), 9 * GRID)
        with place.tagged(ARTIFACT):
            canvas.rectangle(0, 0, page.width, band, DEEP)
            canvas.rectangle(0, band, page.width, 4, ACCENT)
        beside = _hang(place, logo) if logo else 0.0
        kicker_lines = plain_lines(kicker, replace(COVER_LABEL, size=9, colour=TINT), measure - beside, most[0])
        y = _said(place, kicker_lines, COVER_LABEL, left, above)
        lines, type_ = fitted(title, COVER_TITLE, measure, band - above - spare)
        block = height_of(lines, type_)
        subtitle_lines = balanced_lines(opening(subtitle, most[1]), COVER_SUBTITLE, measure)
        if len(subtitle_lines) > most[1]:
            subtitle_lines = plain_lines(subtitle, COVER_SUBTITLE, measure, most[1])
        start = max(y + GRID, band - 3 * GRID - block - len(subtitle_lines) * COVER_SUBTITLE.leading)
        y = _said(place, lines, type_, left, start)
        _said(place, subtitle_lines, COVER_SUBTITLE, left, y + HALF)
        _person(place, name, details, note, picture)

    return Item(sheet().body, draw, full_page=True)


def _hang(place: Place, logo: Drawing) -> float:
    """Draw the logo on white at the cover's top right; returns what it takes of the measure."""
    page = sheet()
    width, height = logo.within(LOGO_WIDTH * page.measure, 3 * GRID)
    x = page.width - page.left - width - GRID
    with place.tagged(ARTIFACT):
        place.canvas.rectangle(x - GRID, 0, width + 2 * GRID, height + 2 * GRID, WHITE)
    with place.tagged(logo.tag()):
        logo.put(place, x, GRID, width, height)
    return width + 2 * GRID + GUTTER


def _said(place: Place, lines: Sequence[Line], type_: Type, x: float, top: float) -> float:
    """Draw lines that are read out as one paragraph; returns the top of the next."""
    with place.tagged(Tag("P")) if any(line.chunks for line in lines) else nullcontext():
        return put(place, lines, type_, x, top)


def fitted(text: str, type_: Type, measure: float, height: float) -> tuple[list[Line], Type]:
    """The text in the largest size that fits the box; in the smallest size an ellipsis ends what does not fit."""
    text = opening(text, int(height / type_.leading * type_.size / SMALLEST))
    size = type_.size
    while True:
        tried = replace(type_, size=size, leading=round(size * type_.leading / type_.size, 1))
        lines = balanced_lines(text, tried, measure)
        if height_of(lines, tried) <= height:
            return lines, tried
        if size <= SMALLEST:
            tallest = tried.leading + max(line.below for line in lines)
            return plain_lines(text, tried, measure, max(1, int(height // tallest))), tried
        size = max(SMALLEST, size * 0.88)


def _person(place: Place, name: str, details: Sequence[tuple[str, str]], note: str, picture: Drawing | None) -> None:
    page = sheet()
    left, measure, low = page.left, page.measure, page.low
    y = page.band * GRID + (2 if low else 3) * GRID
    if picture:
        width, height = picture.within(0.3 * measure, 9 * GRID)
        with place.tagged(picture.tag()):
            picture.put(place, left + measure - width, y, width, height)
        measure -= width + GUTTER
    lines, type_ = fitted(name, COVER_NAME, measure, (3 if low else 6) * GRID)
    y = _said(place, lines, type_, left, y) + GRID
    with place.tagged(ARTIFACT):
        place.canvas.rule(left, y, left + measure, y, RULE, 0.6)
    y += HALF
    small = replace(FURNITURE, leading=10.5)
    last = plain_lines(note, small, page.measure, 4)
    foot = page.height - (2.0 if low else 3.5) * GRID - height_of(last, small)
    columns = max(1, min(2, int(measure // LEAST_DETAIL)), int(measure // DETAIL))
    part = measure / columns
    for row, tall in _rows(details, columns, part - 16, foot - y + HALF):  # less the air below
        for side, (label, lines) in enumerate(row):
            x = left + side * part
            with place.tagged(Tag("P")):
                put(place, plain_lines(label, COVER_LABEL, part - 16, 1), COVER_LABEL, x, y)
                put(place, lines, COVER_VALUE, x, y + 0.9 * GRID)
        y += tall
    _said(place, last, small, left, foot)


def _rows(details: Sequence[tuple[str, str]], columns: int, width: float, height: float) -> list[_Row]:
    """The cover's details in rows, each with its height; values have fewer lines where all would not fit otherwise.

    Details without room are left out.
    """
    rows: list[_Row] = []
    for most in (3, 2, 1):
        shown = [(label, plain_lines(value, COVER_VALUE, width, most)) for label, value in details]
        rows = []
        for first in range(0, len(shown), columns):
            row = shown[first : first + columns]
            tallest = max(height_of(lines, COVER_VALUE) for _, lines in row)
            rows.append((row, math.ceil(tallest / HALF) * HALF + 1.5 * GRID))
        if sum(tall for _, tall in rows) <= height:
            break
    while rows and sum(tall for _, tall in rows) > height:
        rows.pop()
    return rows


def furniture(header: str, document_id: str, footer: str, logo: Drawing | None) -> Callable[[Place], None]:
    """A function that draws the head and foot of a page: whose report it is, the document's id, the page number.

    The logo stands small at the right of the head; the footer's lines, two at most, stand below the id.
    """
    page = sheet()
    left, measure = page.left, page.measure
    wide, high = logo.within(LOGO_WIDTH * measure, 1.25 * GRID) if logo else (0.0, 0.0)
    line = plain_lines(header, FURNITURE, measure - (wide + GUTTER if logo else 0.0), 1)[0]
    identity = plain_lines(escaped(document_id), FURNITURE, measure * 0.6, 1)[0]
    below = plain_lines(footer, FURNITURE, measure, 2) if footer.strip() else []

    def draw(place: Place) -> None:
        canvas = place.canvas
        canvas.open_artifact()
        top = page.top - 3 * GRID
        canvas.line(left, top + baseline(FURNITURE), line)
        canvas.rule(left, top + GRID, left + measure, top + GRID, RULE, 0.4)
        if logo:
            logo.put(place, left + measure - wide, top + GRID - 4 - high, wide, high)
        y = page.bottom + 2.2 * GRID
        canvas.line(left, y, identity)
        count = plain_lines(words().page.format(page=place.page, pages=place.pages), FURNITURE, measure * 0.4, 1)[0]
        canvas.line(left + measure - count.width, y, count)
        put(place, below, FURNITURE, left, y + FURNITURE.leading - baseline(FURNITURE))
        canvas.close_mark()

    return draw


def watermark_of(language: str) -> str:
    """The watermark of a preview on every page, in the template's language."""
    return "CONTOH" if language.lower().partition("-")[0] == "id" else "PREVIEW"


def draw_watermark(place: Place, text: str) -> None:
    """Large light letters from corner to corner, as outlines: what stands below stays readable, on any ground.

    It is the last thing drawn on its page: the canvas does not know that colours and fonts are those from before.
    """
    canvas, width, height = place.canvas, sheet().width, sheet().height
    diagonal = math.hypot(width, height)
    size = 120 * diagonal / math.hypot(A4.width, A4.height)
    line = plain_lines(text.strip(), replace(COVER_TITLE, size=size, leading=140, colour=DEEP), diagonal, 1)[0]
    with place.tagged(ARTIFACT):
        angle = math.atan2(height, width)
        turn = (math.cos(angle), math.sin(angle), -math.sin(angle), math.cos(angle))
        canvas.out.append(b"q 1 Tr %.4f %.4f %.4f %.4f %.2f %.2f cm" % (*turn, width / 2, height / 2))
        canvas.stroke(RULE, 0.9)
        canvas.line(-line.width / 2, height + size / 3, line)  # its baseline a third of its size below the middle
        canvas.out.append(b"Q")


def contents_items(headings: Sequence[tuple[int, int, str]], measure: float) -> list[Item]:
    """One line for each heading `(number, level, text)`, with a dotted leader and its page."""
    items: list[Item] = []
    contents = Tag("TOC")
    for number, level, text in headings:
        indent = 0.0 if level == 1 else GRID
        type_ = replace(BODY, plain="sans-bold" if level == 1 else "body", size=9.2)
        lines = plain_lines(text, type_, measure - indent - 34, 2)
        plain = unmarked(text)
        link = Tag("Link", Tag("TOCI", contents))
        entry = [line_item(line, type_, tag=link) for line in lines]
        for item in entry:
            item.indent = indent
        entry[0].before = HALF if level == 1 else 0.0
        keep(entry[:-1])
        entry[-1].draw = _leader(entry[-1], lines[-1].width, number, type_, measure - indent, link, plain)
        items += entry
    return items


def _leader(item: Item, width: float, number: int, type_: Type, measure: float, link: Tag, says: str) -> Draw:
    inner = item.draw

    def draw(place: Place, x: float, top: float) -> None:
        inner(place, x, top)
        page, y = place.found.get(number, (0, 0.0))
        if not page:
            return
        figure = plain_lines(str(page), replace(type_, plain="sans"), 30)[0]
        down = top + baseline(type_)
        place.canvas.line(x + measure - figure.width, down, figure)
        start = x + width + 6
        end = x + measure - figure.width - 5
        if end > start:
            place.canvas.rule(start, down - 1, end, down - 1, RULE, 0.8, dash=b"0.8 3.2")
        place.document.jump(link, says, (x, top, measure, item.height), page, max(0.0, y - GRID))

    return draw
