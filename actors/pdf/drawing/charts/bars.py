"""Bars: dark data over the light norm bands of a scale, one row for each datum."""

import math

from actors.pdf.drawing.charts.parts import SHORT, Chart, Datum, Room, most_lines
from actors.pdf.drawing.prose import height_of, plain_lines, put
from actors.pdf.drawing.scales import Track, share
from actors.pdf.page.flow import Item, Place, keep_rows
from actors.pdf.style import DEEP, HALF, LABEL_STRONG, SMALL


def bars_items(chart: Chart) -> list[Item]:
    """A bar for each datum over the bands of the scale."""
    label_width = chart.measure * 0.33
    left = label_width + 8
    room = chart.room()
    track = chart.measure - left - room.whole
    bars = [_bar(datum, chart, room, label_width, left, track) for datum in chart.data]
    items = chart.rows(bars, left, track)
    keep_rows(items[: len(bars) + 1], SHORT)
    return items


def _bar(datum: Datum, chart: Chart, room: Room, label_width: float, left: float, track: float) -> Item:
    label = plain_lines(datum.label, LABEL_STRONG, label_width, most_lines())
    note = plain_lines(datum.note, SMALL, label_width, most_lines()) if datum.note else []
    text_height = height_of(label, LABEL_STRONG) + height_of(note, SMALL)
    height = max(3 * HALF, math.ceil((text_height + 5) / HALF) * HALF)

    def draw(place: Place, x: float, top: float) -> None:
        above = top + (height - text_height) / 2
        put(place, label, LABEL_STRONG, x, above, label_width)
        put(place, note, SMALL, x, above + height_of(label, LABEL_STRONG), label_width)
        middle, start = top + height / 2, x + left
        drawn = Track(place, chart.scale, start, track)
        drawn.bands(middle - 7, 14)
        if datum.value is not None and datum.span:
            drawn.interval(datum.span, middle, 9)
            drawn.deviation(datum.value, middle, 3.2)
            drawn.mark(datum.value, middle, 3.2)
        elif datum.value is not None:
            place.canvas.rectangle(start, middle - 3.2, max(share(chart.scale, datum.value) * track, 0.8), 6.4, DEEP)
        drawn.lines(middle - 7, 14, chart.reference)
        room.put(place, datum, start + track, middle)

    return Item(height, draw)
