"""Bars: dark data over the light norm bands of a scale, one row for each datum."""

from __future__ import annotations

import math
from collections.abc import Sequence

from actors.pdf.charts.parts import MOST_LINES, SHORT, VALUE_WIDTH, Datum, figure, scale_head, shown, with_foot
from actors.pdf.page.flow import Item, Place, headed, keep_rows
from actors.pdf.product.blocks import Scale
from actors.pdf.prose import height_of, plain_lines, put
from actors.pdf.scales import draw_bands, share
from actors.pdf.style import DEEP, HALF, INK, LABEL_STRONG, QUIET, SMALL


def bars_items(title: str, data: Sequence[Datum], scale: Scale, measure: float) -> list[Item]:
    """A bar for each datum over the bands of the scale; the names of the bands return on every page."""
    label_width = measure * 0.33
    left = label_width + 8
    track = measure - left - VALUE_WIDTH
    rows = figure([_bar(datum, scale, label_width, left, track) for datum in data], title, data, scale)
    items = headed(scale_head(scale, left, track), rows)
    keep_rows(items, SHORT)
    return with_foot(items, scale, left, track, measure)


def _bar(datum: Datum, scale: Scale, label_width: float, left: float, track: float) -> Item:
    label = plain_lines(datum.label, LABEL_STRONG, label_width, MOST_LINES)
    note = plain_lines(datum.note, SMALL, label_width, MOST_LINES) if datum.note else []
    text_height = height_of(label, LABEL_STRONG) + height_of(note, SMALL)
    height = max(3 * HALF, math.ceil((text_height + 5) / HALF) * HALF)
    value_lines = plain_lines(shown(scale, datum.value), LABEL_STRONG, VALUE_WIDTH - 6, 1)
    colour = QUIET if datum.value is None else INK

    def draw(place: Place, x: float, top: float) -> None:
        canvas = place.canvas
        above = top + (height - text_height) / 2
        put(place, label, LABEL_STRONG, x, above, label_width)
        put(place, note, SMALL, x, above + height_of(label, LABEL_STRONG), label_width)
        middle = top + height / 2
        draw_bands(place, scale, x + left, middle - 7, track, 14)
        if datum.value is not None:
            canvas.rectangle(x + left, middle - 3.2, max(share(scale, datum.value) * track, 0.8), 6.4, DEEP)
        end, line_top = x + left + track, middle - LABEL_STRONG.leading / 2
        put(place, value_lines, LABEL_STRONG, end, line_top, VALUE_WIDTH, "right", colour)

    return Item(height, draw)
