"""The first page, the table of contents, and what stands at the head and foot of every other page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

from actors.pdf.page.flow import ARTIFACT, Draw, Item, Place, Tag, keep
from actors.pdf.product.values import escaped
from actors.pdf.product.wording import words
from actors.pdf.prose import balanced_lines, baseline, height_of, line_item, opening, plain_lines, put
from actors.pdf.style import (
    ACCENT,
    BODY,
    BODY_HEIGHT,
    BOTTOM,
    COVER_LABEL,
    COVER_NAME,
    COVER_SUBTITLE,
    COVER_TITLE,
    COVER_VALUE,
    DEEP,
    FURNITURE,
    GRID,
    HALF,
    LEFT,
    MEASURE,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    RULE,
    TINT,
    TOP,
    WHITE,
    Colour,
    Type,
)
from actors.pdf.text.linebreak import Line
from actors.pdf.text.words import emphasis

BAND = 27 * GRID  # the dark upper part of the cover
SMALLEST = 9.0  # points: a name or a title is never set smaller


def cover_item(
    kicker: str, title: str, subtitle: str, name: str, details: Sequence[tuple[str, str]], note: str
) -> Item:
    """The whole first page; type sizes give way when a name or a title is long."""

    def draw(place: Place, _x: float, _top: float) -> None:
        canvas = place.canvas
        with place.tagged(ARTIFACT):
            canvas.rectangle(0, 0, PAGE_WIDTH, BAND, DEEP)
            canvas.rectangle(0, BAND, PAGE_WIDTH, 4, ACCENT)
        kicker_lines = plain_lines(kicker, replace(COVER_LABEL, size=9), MEASURE, 2)
        y = _said(place, kicker_lines, COVER_LABEL, LEFT, TOP, TINT)
        lines, type_ = fitted(title, COVER_TITLE, MEASURE, BAND - TOP - 9 * GRID)
        block = height_of(lines, type_)
        subtitle_lines = balanced_lines(opening(subtitle, 3), COVER_SUBTITLE, MEASURE)
        if len(subtitle_lines) > 3:
            subtitle_lines = plain_lines(subtitle, COVER_SUBTITLE, MEASURE, 3)
        start = max(y + GRID, BAND - 3 * GRID - block - len(subtitle_lines) * COVER_SUBTITLE.leading)
        y = _said(place, lines, type_, LEFT, start, WHITE)
        _said(place, subtitle_lines, COVER_SUBTITLE, LEFT, y + HALF, TINT)
        _person(place, name, details, note)

    return Item(BODY_HEIGHT, draw, full_page=True)


def _said(
    place: Place, lines: Sequence[Line], type_: Type, x: float, top: float, colour: Colour | None = None
) -> float:
    """Draw lines that are read out as one paragraph; returns the top of the next."""
    with place.tagged(Tag("P")) if any(line.chunks for line in lines) else nullcontext():
        return put(place, lines, type_, x, top, colour=colour)


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


def _person(place: Place, name: str, details: Sequence[tuple[str, str]], note: str) -> None:
    lines, type_ = fitted(name, COVER_NAME, MEASURE, 6 * GRID)
    y = _said(place, lines, type_, LEFT, BAND + 3 * GRID) + GRID
    with place.tagged(ARTIFACT):
        place.canvas.rule(LEFT, y, LEFT + MEASURE, y, RULE, 0.6)
    y += HALF
    foot = PAGE_HEIGHT - 4.5 * GRID
    half = MEASURE / 2
    for number in range(0, len(details), 2):
        tall = 0.0
        for side, (label, value) in enumerate(details[number : number + 2]):
            x = LEFT + side * half
            value_lines = plain_lines(value, COVER_VALUE, half - 16, 3)
            with place.tagged(Tag("P")):
                put(place, plain_lines(label, COVER_LABEL, half - 16, 1), COVER_LABEL, x, y)
                put(place, value_lines, COVER_VALUE, x, y + 0.9 * GRID)
            tall = max(tall, math.ceil(height_of(value_lines, COVER_VALUE) / HALF) * HALF + 1.5 * GRID)
        if y + tall > foot - 3 * GRID:
            break
        y += tall
    small = replace(FURNITURE, leading=10.5)
    lines = plain_lines(note, small, MEASURE, 4)
    _said(place, lines, small, LEFT, foot - height_of(lines, small) + GRID)


def furniture(header: str, document_id: str) -> Callable[[Place], None]:
    """What draws the head and foot of a page: whose report this is, the document's id, the page number."""
    line = plain_lines(header, FURNITURE, MEASURE, 1)[0]
    identity = plain_lines(escaped(document_id), FURNITURE, MEASURE * 0.6, 1)[0]

    def draw(place: Place) -> None:
        canvas = place.canvas
        canvas.open_artifact()
        top = TOP - 3 * GRID
        canvas.line(LEFT, top + baseline(FURNITURE), line)
        canvas.rule(LEFT, top + GRID, LEFT + MEASURE, top + GRID, RULE, 0.4)
        y = BOTTOM + 2.2 * GRID
        canvas.line(LEFT, y, identity)
        count = plain_lines(words().page.format(page=place.page, pages=place.pages), FURNITURE, MEASURE * 0.4, 1)[0]
        canvas.line(LEFT + MEASURE - count.width, y, count)
        canvas.close_mark()

    return draw


def watermark_of(language: str) -> str:
    """What a preview says of itself on every page, in the template's language."""
    return "CONTOH" if language.lower().partition("-")[0] == "id" else "PREVIEW"


def draw_watermark(place: Place, text: str) -> None:
    """Large light letters from corner to corner, as outlines: what stands below stays readable, on any ground.

    It is the last thing drawn on its page: the canvas does not know that colours and fonts are those from before.
    """
    canvas = place.canvas
    line = plain_lines(text.strip(), replace(COVER_TITLE, size=120, leading=140), PAGE_HEIGHT, 1)[0]
    with place.tagged(ARTIFACT):
        angle = math.atan2(PAGE_HEIGHT, PAGE_WIDTH)
        turn = (math.cos(angle), math.sin(angle), -math.sin(angle), math.cos(angle))
        canvas.out.append(b"q 1 Tr %.4f %.4f %.4f %.4f %.2f %.2f cm" % (*turn, PAGE_WIDTH / 2, PAGE_HEIGHT / 2))
        canvas.stroke(RULE, 0.9)
        canvas.line(-line.width / 2, PAGE_HEIGHT + 40, line)  # its baseline 40 points below the middle
        canvas.out.append(b"Q")


def contents_items(headings: Sequence[tuple[int, int, str]], measure: float) -> list[Item]:
    """One line for each heading `(number, level, text)`, with a dotted leader and its page."""
    items: list[Item] = []
    contents = Tag("TOC")
    for number, level, text in headings:
        indent = 0.0 if level == 1 else GRID
        type_ = replace(BODY, plain="sans-bold" if level == 1 else "body", size=9.2)
        lines = plain_lines(text, type_, measure - indent - 34, 2)
        plain = "".join(part for part, _ in emphasis(text))
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
            place.canvas.path([(start, down - 1), (end, down - 1)], stroke=RULE, width=0.8, close=False, dash="0.8 3.2")
        place.document.jump(link, says, (x, top, measure, item.height), page, max(0.0, y - GRID))

    return draw
