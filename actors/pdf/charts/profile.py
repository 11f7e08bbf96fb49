"""The profile line: where somebody stands between two poles, row by row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from actors.pdf.charts.parts import MOST_LINES, VALUE_WIDTH, Datum, figure, scale_head, shown, with_foot
from actors.pdf.page.flow import Draw, Item, Place, headed
from actors.pdf.product.blocks import Scale
from actors.pdf.prose import height_of, plain_lines, put
from actors.pdf.scales import draw_bands, share
from actors.pdf.style import DEEP, GRID, HALF, LABEL, LABEL_STRONG, WHITE
from actors.pdf.text.linebreak import Line

PROFILE_HEIGHT = 34 * GRID


def profile_items(title: str, data: Sequence[Datum], scale: Scale, measure: float) -> list[Item]:
    """Bipolar rows joined by a line: where somebody stands between two poles."""
    pole = measure * 0.25
    right_pole = pole if any(datum.opposite for datum in data) else 0.0
    widths = _Widths(pole, pole + 10, measure - 2 * 10 - pole - right_pole - VALUE_WIDTH, right_pole)
    parts = []
    for rows in _profile_parts([_profile_row(datum, widths) for datum in data]):
        part = Item(sum(row.height for row in rows), _profile_drawing(rows, scale, widths))
        parts.append(part)
    items = headed(scale_head(scale, widths.left, widths.track), figure(parts, title, data, scale))
    return with_foot(items, scale, widths.left, widths.track, measure)


@dataclass(frozen=True, slots=True)
class _Widths:
    pole: float
    left: float
    track: float
    right_pole: float


@dataclass(frozen=True, slots=True)
class _Row:
    datum: Datum
    label: list[Line]
    opposite: list[Line]
    height: float


def _profile_parts(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Rows that are drawn together: as many as look well on one page."""
    parts: list[list[_Row]] = []
    height = 0.0
    for row in rows:
        if not parts or height + row.height > PROFILE_HEIGHT:
            parts.append([])
            height = 0.0
        parts[-1].append(row)
        height += row.height
    return parts


def _profile_row(datum: Datum, widths: _Widths) -> _Row:
    label = plain_lines(datum.label, LABEL_STRONG, widths.pole, MOST_LINES)
    opposite = plain_lines(datum.opposite, LABEL, widths.right_pole, MOST_LINES) if datum.opposite else []
    text = max(height_of(label, LABEL_STRONG), height_of(opposite, LABEL))
    return _Row(datum, label, opposite, max(4 * HALF, math.ceil((text + 7) / HALF) * HALF))


def _profile_drawing(rows: Sequence[_Row], scale: Scale, widths: _Widths) -> Draw:
    def draw(place: Place, x: float, top: float) -> None:
        canvas, points, y = place.canvas, list[tuple[float, float] | None](), top
        draw_bands(place, scale, x + widths.left, top, widths.track, sum(row.height for row in rows))
        for row in rows:
            middle = y + row.height / 2
            canvas.rule(x + widths.left, middle, x + widths.left + widths.track, middle, WHITE, 0.6)
            _profile_labels(place, row, scale, widths, x, middle)
            value = row.datum.value
            points.append(None if value is None else (x + widths.left + share(scale, value) * widths.track, middle))
            y += row.height
        for start, end in pairwise(points):
            if start and end:
                canvas.rule(*start, *end, DEEP, 1.4)
        for point in points:
            if point:
                canvas.disc(*point, 4.2, fill=DEEP, stroke=WHITE, width=1)

    return draw


def _profile_labels(place: Place, row: _Row, scale: Scale, widths: _Widths, x: float, middle: float) -> None:
    put(place, row.label, LABEL_STRONG, x, middle - height_of(row.label, LABEL_STRONG) / 2, widths.pole, "right")
    edge = x + widths.left + widths.track + 10
    put(place, row.opposite, LABEL, edge, middle - height_of(row.opposite, LABEL) / 2, widths.right_pole)
    value = plain_lines(shown(scale, row.datum.value), LABEL_STRONG, VALUE_WIDTH, 1)
    put(place, value, LABEL_STRONG, edge + widths.right_pole, middle - LABEL.leading / 2, VALUE_WIDTH, "right")
