"""The profile line: where somebody stands between two poles, row by row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from actors.pdf.drawing.charts.parts import Chart, Datum, Room, highest, most_lines
from actors.pdf.drawing.prose import height_of, plain_lines, put
from actors.pdf.drawing.scales import Track
from actors.pdf.page.flow import Draw, Item, Place
from actors.pdf.style import DEEP, GRID, HALF, INK, LABEL, LABEL_STRONG, WHITE
from actors.pdf.text.linebreak import Line

PROFILE_HEIGHT = 34 * GRID
_STRIP = 14.0  # points: the bands of a row with a name


def profile_items(chart: Chart) -> list[Item]:
    """Bipolar rows: where somebody stands between two poles, with a line from row to row unless the rows have names."""
    named = any(datum.name for datum in chart.data)
    pole = chart.measure * (0.21 if named else 0.25)
    right_pole = pole if any(datum.opposite for datum in chart.data) else 0.0
    room = chart.room()
    track = chart.measure - 2 * 10 - pole - right_pole - room.whole
    widths = _Widths(pole, pole + 10, track, right_pole, named, room)
    parts = _profile_parts([_profile_row(datum, widths) for datum in chart.data])
    drawn = [Item(sum(row.height for row in rows), _profile_drawing(rows, chart, widths)) for rows in parts]
    return chart.rows(drawn, widths.left, track)


@dataclass(frozen=True, slots=True)
class _Widths:
    pole: float
    left: float
    track: float
    right_pole: float
    named: bool
    room: Room


@dataclass(frozen=True, slots=True)
class _Row:
    datum: Datum
    name: list[Line]
    label: list[Line]
    opposite: list[Line]
    height: float


def _profile_parts(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Rows that are drawn together: as many as look well on one page."""
    parts: list[list[_Row]] = []
    height = 0.0
    for row in rows:
        if not parts or height + row.height > min(PROFILE_HEIGHT, highest()):
            parts.append([])
            height = 0.0
        parts[-1].append(row)
        height += row.height
    return parts


def _profile_row(datum: Datum, widths: _Widths) -> _Row:
    label = plain_lines(datum.label, LABEL if widths.named else LABEL_STRONG, widths.pole, most_lines())
    opposite = plain_lines(datum.opposite, LABEL, widths.right_pole, most_lines()) if datum.opposite else []
    name = plain_lines(datum.name, LABEL_STRONG, widths.track, most_lines()) if widths.named else []
    poles = max(height_of(label, LABEL), height_of(opposite, LABEL), _STRIP * widths.named)
    text = poles + height_of(name, LABEL_STRONG)
    return _Row(datum, name, label, opposite, max(4 * HALF, math.ceil((text + 7) / HALF) * HALF))


def _profile_drawing(rows: Sequence[_Row], chart: Chart, widths: _Widths) -> Draw:
    def draw(place: Place, x: float, top: float) -> None:
        canvas, points, y = place.canvas, list[tuple[float | None, float]](), top
        left, height, type_ = x + widths.left, sum(row.height for row in rows), LABEL if widths.named else LABEL_STRONG
        right = left + widths.track + 10
        track = Track(place, chart.scale, left, widths.track)
        if not widths.named:
            track.bands(top, height)
            track.lines(top, height, chart.reference)
        for row in rows:
            name_height = height_of(row.name, LABEL_STRONG)
            middle = y + (row.height + name_height) / 2
            if widths.named:
                above = middle - _STRIP / 2 - name_height - 1
                put(place, row.name, LABEL_STRONG, left, above, widths.track, "center")
                track.bands(middle - _STRIP / 2, _STRIP)
                track.lines(middle - _STRIP / 2, _STRIP, chart.reference)
            else:
                canvas.rule(left, middle, left + widths.track, middle, WHITE, 0.6)
            track.interval(row.datum.span, middle, 9)
            put(place, row.label, type_, x, middle - height_of(row.label, type_) / 2, widths.pole, "right")
            put(place, row.opposite, LABEL, right, middle - height_of(row.opposite, LABEL) / 2, widths.right_pole)
            widths.room.put(place, row.datum, right + widths.right_pole, middle, INK)
            points.append((row.datum.value, middle))
            y += row.height
        for (first, above), (second, below) in pairwise(() if widths.named else points):
            if first is not None and second is not None:
                canvas.rule(track.at(first), above, track.at(second), below, DEEP, 1.4)
        for value, middle in points:
            if value is not None:
                track.mark(value, middle, 4.2)

    return draw
