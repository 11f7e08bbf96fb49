"""Running text as items of the flow: paragraphs, lists, headings, call-outs, captions."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from actors.pdf.page.flow import ARTIFACT, Item, Place, Tag, keep, keep_ends
from actors.pdf.page.flow import draw as draw_column
from actors.pdf.style import ACCENT, BODY, CAPTION, GRID, HALF, HEADINGS, LEAD, SMALL, TINT, Type
from actors.pdf.text.linebreak import Line, justified, ragged
from actors.pdf.text.words import LONGEST, PLAIN, Chunk, emphasis, longest, measured, right_to_left, unmarked

BULLET_INDENT = 14.0
BETWEEN_BULLETS = 3.5
WORTH_FILLING = 0.2  # Share of the measure: with more white before an ellipsis, a long word is cut and not left out.
NARROW = 230.0  # Points: in a narrower measure word spaces cannot be even, so the text is ragged right.
STYLES = {"body": BODY, "lead": LEAD, "small": replace(SMALL, size=7.8, leading=10.5)}


def baseline(type_: Type) -> float:
    """Distance from the top of a line's box to its baseline."""
    return (type_.leading - type_.size) / 2 + type_.size * 0.80


def line_item(line: Line, type_: Type, indent: float = 0.0, *, tag: Tag) -> Item:
    """A line of text as an item."""
    down = baseline(type_)

    def draw(place: Place, x: float, top: float) -> None:
        place.canvas.line(x, top + down, line)

    return Item(type_.leading + line.below, draw, indent=indent, tag=tag)


def height_of(lines: Sequence[Line], type_: Type) -> float:
    """Points from the top of the first line to the top of what follows the last."""
    return sum(type_.leading + line.below for line in lines)


def line_items(lines: Sequence[Line], type_: Type, name: str = "P") -> list[Item]:
    """Lines of text, read out as one `name` (P, H1 …)."""
    tag = Tag(name)
    return [line_item(line, type_, tag=tag) for line in lines]


def put(
    place: Place, lines: Sequence[Line], type_: Type, x: float, top: float, width: float = 0.0, align: str = "left"
) -> float:
    """Draw lines below each other, aligned within `width` points from `x`; returns the top of the next."""
    down = baseline(type_)
    for line in lines:
        shift = {"left": 0.0, "center": (width - line.width) / 2, "right": width - line.width}[align]
        place.canvas.line(x + shift, top + down, line)
        top += type_.leading + line.below
    return top


def text_lines(text: str, type_: Type, measure: float, *, hyphenate: bool = True) -> list[Line]:
    """Marked-up text set ragged right."""
    paragraphs = measured(emphasis(text), type_)
    return [line for chunks in paragraphs for line in ragged(chunks, measure, hyphenate=hyphenate)]


def balanced_lines(text: str, type_: Type, measure: float) -> list[Line]:
    """Lines of similar length, as few as the text needs, so that no single word stands alone under a title."""
    lines = text_lines(text, type_, measure, hyphenate=False)
    if not 1 < len(lines) < 5:
        return lines
    for part in (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
        tried = text_lines(text, type_, measure * part, hyphenate=False)
        if len(tried) == len(lines):
            return tried
    return lines


def plain_lines(text: str, type_: Type, measure: float, limit: int = 0) -> list[Line]:
    """Marked-up text without hyphenation; beyond `limit` lines the last one ends with an ellipsis."""
    text = opening(text, limit) if limit else text
    lines = text_lines(text, type_, measure, hyphenate=False)
    if limit and len(lines) > limit:
        following = lines[limit].chunks
        lines = lines[:limit]
        lines[-1] = _cut_short([*lines[-1].chunks, *following], type_, measure, rtl=lines[-1].rtl)
    return lines


def opening(text: str, lines: int) -> str:
    """As much of a text as `lines` lines can hold at most, however long it is."""
    most = (lines + 1) * LONGEST
    return text if len(text) <= most else text[:most] + "…"


def _cut_short(chunks: Sequence[Chunk], type_: Type, measure: float, *, rtl: bool) -> Line:
    """As many chunks as fit, and an ellipsis. Words stay whole; only a long last one may be cut."""
    dots = measured([("…", PLAIN)], type_)[0][0]
    kept: list[Chunk] = []
    room = measure - dots.width
    for chunk in chunks:
        if chunk.width > room:
            if room > WORTH_FILLING * measure or not kept:
                kept += _shortened(chunk, room)
            break
        kept.append(chunk)
        room -= chunk.width + chunk.space
    if kept:
        kept[-1] = kept[-1].like(kept[-1].text)
    return Line([*kept, dots], sum(c.width + c.space for c in kept) + dots.width, rtl=rtl)


def _shortened(chunk: Chunk, measure: float) -> list[Chunk]:
    most = len(chunk.text) - 1
    if most < 1:
        return []
    likely = int(most * measure / chunk.width)
    _, shorter = longest(lambda n: chunk.like(chunk.text[:n]), most, measure, likely)
    return [shorter] if shorter.width <= measure else []


def snapped(items: list[Item]) -> list[Item]:
    """The same items, the last one a little taller, so that what follows stands on the grid."""
    height = sum(item.height for item in items)
    items[-1].height += math.ceil(height / HALF - 0.01) * HALF - height
    return items


def paragraph(
    text: str, type_: Type, measure: float, *, before: float = 0.0, indent: float = 0.0, tag: Tag | None = None
) -> list[Item]:
    """Lines, none of which is left alone on a page; they are justified where the measure allows it.

    Text that runs from right to left starts at the right, `indent` points from its edge.
    """
    set_lines = justified if measure - indent >= NARROW else ragged
    lines = [line for chunks in measured(emphasis(text), type_) for line in set_lines(chunks, measure - indent)]
    tag = tag or Tag("P")
    items = [line_item(line, type_, measure - indent - line.width if line.rtl else indent, tag=tag) for line in lines]
    items[0].before = before
    keep_ends(items)
    return items


def text_items(text: str, style: str, measure: float) -> list[Item]:
    """Paragraphs and lists of a text block."""
    type_ = STYLES[style]
    items: list[Item] = []
    for part in re.split(r"\n[ \t]*\n", text.strip()):
        if not part.strip():
            continue
        gap = HALF if items else 0.0
        if part.lstrip().startswith("- "):
            entries = Tag("L", attributes="<</O/List/ListNumbering/Square>>")
            for number, entry in enumerate(f"\n{part.strip()}".split("\n- ")[1:]):
                items += _bullet(entry, type_, measure, BETWEEN_BULLETS if number else gap, Tag("LI", entries))
            continue
        items += paragraph(" ".join(part.split("\n")), type_, measure, before=gap)
    if items:
        items[0].before = HALF
        snapped(items)
    return items


def _bullet(text: str, type_: Type, measure: float, before: float, entry: Tag) -> list[Item]:
    sign, body = Tag("Lbl", entry, actual="•"), Tag("LBody", entry)
    items = paragraph(" ".join(text.split()), type_, measure, before=before, indent=BULLET_INDENT, tag=body)
    first = items[0]
    inner = first.draw
    left = measure - first.indent - BULLET_INDENT + 9.0 if right_to_left(text) else 2.5 - BULLET_INDENT

    def draw(place: Place, x: float, top: float) -> None:
        middle = top + baseline(type_) - type_.size * 0.27
        with place.tagged(sign):
            place.canvas.rectangle(x + left, middle - 1.3, 2.6, 2.6, ACCENT)
        with place.tagged(body):
            inner(place, x, top)

    first.draw, first.tag = draw, None
    return items


def heading_items(text: str, level: int, measure: float, number: int, depth: int) -> list[Item]:
    """A heading that stays with what follows; its box fills whole lines of the grid.

    It looks like one of its `level`, and is read out as one of its `depth`, which skips no level.
    """
    type_ = HEADINGS[level - 1]
    items = line_items(balanced_lines(text, type_, measure), type_, f"H{depth}")
    plain = unmarked(text)
    inner = items[0].draw

    def draw(place: Place, x: float, top: float) -> None:
        if level < 3:
            place.document.bookmark(plain, level - 1, top)
        place.found[number] = (place.page, top)
        if level == 1:
            place.canvas.rectangle(x, top - HALF + 1, 28, 2.2, ACCENT)
        inner(place, x, top)

    items[0].draw = draw
    items[0].headings = ((number, 0.0),)
    items[0].before = (GRID * 2, GRID * 1.5, GRID)[level - 1]
    if level == 1:
        items[-1].height += HALF
    keep(items)
    return items


def caption_items(text: str, measure: float, *, centred: bool = False) -> list[Item]:
    """A small line under a chart or table, or below the middle of a picture."""
    lines = text_lines(text, CAPTION, measure, hyphenate=False)
    items = line_items(lines, CAPTION)
    for item, line in zip(items, lines, strict=True):
        item.indent = (measure - line.width) / 2 if centred else 0.0
    items[0].before = HALF
    keep(items[:-1])
    return snapped(items)


def title_items(text: str, measure: float, size: float = 8.8) -> list[Item]:
    """The title above a chart, a table or a call-out's text, kept with it."""
    type_ = replace(HEADINGS[2], size=size)
    items = line_items(text_lines(text, type_, measure, hyphenate=False), type_)
    keep(items)
    return items


def callout_items(title: str, text: str, measure: float) -> list[Item]:
    """A tinted box with a rule at its left; a long one may continue on the next page."""
    pad = GRID
    inner = title_items(title, measure - 2 * pad, HEADINGS[2].size) if title else []
    inner += text_items(text, "body", measure - 2 * pad)
    pieces = [_tinted(item, measure, pad, place) for place, item in enumerate(inner)]
    if not pieces:
        return []
    foot = Item(HALF, lambda place, x, top: _ground(place, x, top, measure, HALF), tag=ARTIFACT)
    head = replace(foot, keep=True, before=GRID)
    pieces[-1].keep = True
    return [head, *pieces, foot]


def _ground(place: Place, x: float, top: float, measure: float, height: float) -> None:
    place.canvas.rectangle(x, top - 0.2, measure, height + 0.4, TINT)
    place.canvas.rectangle(x, top - 0.2, 2.2, height + 0.4, ACCENT)


def _tinted(item: Item, measure: float, pad: float, number: int) -> Item:
    above = item.before if number else 0.0
    height = item.height

    def draw(place: Place, x: float, top: float) -> None:
        with place.tagged(ARTIFACT):
            _ground(place, x, top, measure, height + above)
        draw_column([(above, item)], place, x + pad, top)

    return Item(height + above, draw, keep=item.keep)
