"""Charts that read in black and white: dark data over light bands, every value also written as a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actors.pdf.page.flow import ARTIFACT, Item, Place, Tag
from actors.pdf.product.blocks import Scale
from actors.pdf.product.values import band_of, number
from actors.pdf.prose import height_of, plain_lines, put
from actors.pdf.scales import share, stretches
from actors.pdf.style import BANDS, GRID, HALF, RULE, SMALL
from actors.pdf.text.linebreak import Line
from actors.pdf.text.words import PLAIN, measured, one_line

VALUE_WIDTH = 34.0
LEGEND_GAP = 21.0  # Points between the end of one entry and the text of the next.
MOST_LINES = 20  # Of a label: a longer one ends in an ellipsis, because a chart must fit on a page.
SHORT = 20 * GRID
NAMED = 300  # characters of a chart's title that its alternative text repeats


@dataclass(frozen=True, slots=True)
class Datum:
    """One measured thing: label, value (None: not measured), and what a chart may add to it."""

    label: str
    value: float | None
    note: str = ""
    opposite: str = ""


def shown(scale: Scale, value: float | None) -> str:
    """The number as it is printed beside a mark."""
    return number(value, scale.decimals)


def figure(items: Sequence[Item], title: str, data: Sequence[Datum], scale: Scale) -> list[Item]:
    """The items as one figure, with an alternative text that says what the chart says, value by value."""
    name = title[:NAMED] or "Grafik"
    parts = []
    for datum in data:
        band = f" ({band_of(scale, datum.value)[1].label})" if datum.value is not None else ""
        parts.append(f"{datum.label}: {shown(scale, datum.value)}{band}")
    tag = Tag("Figure", alternative=one_line(f"{name}. {'; '.join(parts)}."))
    for item in items:
        item.tag = tag
    return list(items)


def _band_names(scale: Scale, width: float) -> list[list[Line]] | None:
    """The bands' names set in at most two lines each, or None when one does not fit over its stretch."""
    names = []
    for band, start, end in stretches(scale):
        room = (end - start) * width - 2
        if any(chunk.width > room for chunk in measured([(band.label, PLAIN)], SMALL)[0]):
            return None
        lines = plain_lines(band.label, SMALL, room)
        if len(lines) > 2:
            return None
        names.append(lines)
    return names


def scale_head(scale: Scale, left: float, track: float) -> Item:
    """The names of the bands above their stretches; white space when they do not fit, and then the legend has them."""
    names = _band_names(scale, track)
    if names is None:
        return Item(HALF, lambda place, x, top: None, before=HALF, keep=True, tag=ARTIFACT)
    height = HALF * (2 if max(map(len, names)) == 1 else 3)

    def draw(place: Place, x: float, top: float) -> None:
        for (_, start, end), lines in zip(stretches(scale), names, strict=True):
            above = top + height - 3 - height_of(lines, SMALL)
            put(place, lines, SMALL, x + left + start * track, above, (end - start) * track, "center")

    return Item(height, draw, before=HALF, keep=True, tag=ARTIFACT)


def with_foot(items: list[Item], scale: Scale, left: float, track: float, measure: float) -> list[Item]:
    """The chart's rows, the numbers of its axis, and a legend when the bands could not be named above."""
    items[-1].keep = True
    items.append(axis_item(scale, left, track))
    if _band_names(scale, track) is None:
        items[-1].keep = True
        items.append(legend_item(scale, measure))
    return items


def axis_item(scale: Scale, left: float, track: float) -> Item:
    def draw(place: Place, x: float, top: float) -> None:
        for value in (scale.low, *(band.upto for band in scale.bands)):
            at = x + left + share(scale, value) * track
            lines = plain_lines(number(value), SMALL, 40)
            put(place, lines, SMALL, at - 20, top + 1, 40, "center")

    return Item(GRID, draw, tag=ARTIFACT)


def legend_item(scale: Scale, measure: float) -> Item:
    """The bands' tones with their names and upper ends, side by side in as few rows as they need."""
    rows: list[list[tuple[int, Line]]] = [[]]
    room = measure
    ends = [number(band.upto) for band in scale.bands]
    for tone, band in enumerate(scale.bands):
        reach = f"> {ends[tone - 1]}" if tone and tone == len(ends) - 1 else f"s.d. {ends[tone]}"
        line = plain_lines(f"{band.label} {reach}", SMALL, measure - 24, 1)[0]
        if line.width + 11 > room and rows[-1]:
            rows.append([])
            room = measure
        rows[-1].append((tone, line))
        room -= line.width + LEGEND_GAP

    def draw(place: Place, x: float, top: float) -> None:
        for row in rows:
            left = x + (measure - sum(line.width + LEGEND_GAP for _, line in row) + LEGEND_GAP - 11) / 2
            for tone, line in row:
                place.canvas.rectangle(left, top + 4, 8, 6, BANDS[tone])
                place.canvas.outline(left, top + 4, 8, 6, RULE)
                put(place, [line], SMALL, left + 11, top + 2.5, line.width)
                left += line.width + LEGEND_GAP
            top += GRID

    return Item(GRID * len(rows), draw, tag=ARTIFACT)
