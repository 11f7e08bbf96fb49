"""The gauge: one value on a half circle of norm bands."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from actors.pdf.drawing.charts.parts import Chart, Datum
from actors.pdf.drawing.prose import height_of, plain_lines, put
from actors.pdf.drawing.scales import INTERVAL, share, stretches
from actors.pdf.page.flow import Item, Place
from actors.pdf.product.filters import interval_words, reading, score_of
from actors.pdf.product.measure import Scale, band_of, known
from actors.pdf.style import BANDS, DEEP, GRID, HALF, INK, LABEL, LABEL_STRONG, RULE, SMALL, WHITE
from actors.pdf.text.linebreak import Line

_NAME_WIDTH = 60.0

_Name = tuple[list[Line], float, float, str]  # a band's name, x and y from the ring's middle, and its alignment


def gauge_items(chart: Chart) -> list[Item]:
    """A half circle of bands with a hand; an inner arc is the interval. Names that would touch go into a legend."""
    scale, measure, (datum,) = chart.scale, chart.measure, chart.data
    radius = min(84.0, measure / 2 - 50)
    measured = known(scale) or datum.span is not None
    height = math.ceil((radius + 38 + (LABEL.leading if measured else 0)) / HALF) * HALF
    names = _names(scale, radius)
    crowded = _touch(names)

    def draw(place: Place, x: float, top: float) -> None:
        canvas = place.canvas
        middle, base = x + measure / 2, top + radius + 14

        def radial(value: float, inner: float, outer: float, width: float) -> None:
            angle = share(scale, value) * math.pi
            across, up = math.cos(angle), math.sin(angle)
            start, end = ((middle - radius * part * across, base - radius * part * up) for part in (inner, outer))
            canvas.rule(*start, *end, INK, width)

        for tone, (_, start, end) in enumerate(stretches(scale)):
            first, last = start * math.pi + 0.008, end * math.pi - 0.008
            canvas.ring_part(middle, base, radius * 0.70, radius, first, last, BANDS[tone], RULE)
        for lines, right, down, align in () if crowded else names:
            put(place, lines, SMALL, middle + right, base + down, _NAME_WIDTH, align)
        if datum.span:
            low, high = (share(scale, end) * math.pi for end in datum.span)
            canvas.ring_part(middle, base, radius * 0.60, radius * 0.68, low, max(high, low + 0.02), INTERVAL, WHITE)
        if known(scale) and scale.mean is not None:
            radial(scale.mean, 0.58, 1.0, 0.6)
        if chart.reference is not None:
            for part in (0.70, 0.80, 0.90):
                radial(chart.reference, part, part + 0.06, 1.0)
        if datum.value is not None:
            angle = share(scale, datum.value) * math.pi
            tip = (middle - radius * 0.93 * math.cos(angle), base - radius * 0.93 * math.sin(angle))
            side = (2.6 * math.sin(angle), -2.6 * math.cos(angle))
            canvas.path([(middle + side[0], base + side[1]), tip, (middle - side[0], base - side[1])], fill=DEEP)
            canvas.disc(middle, base, 4.6, fill=DEEP, stroke=WHITE, width=1)
        big = replace(LABEL_STRONG, size=11.0, leading=GRID)
        first_line, second = _said(datum, scale)
        put(place, plain_lines(first_line, big, measure, 1), big, x, base + 8, measure, "center")
        put(place, plain_lines(second, LABEL, measure, 1), LABEL, x, base + 8 + GRID, measure, "center")

    items = chart.figure([Item(height, draw, before=HALF, keep=True)])
    items += [*(chart.legends() if crowded else ()), *chart.key()]
    items[-1].keep = False
    return items


def _said(datum: Datum, scale: Scale) -> tuple[str, str]:
    """The value with its interval, and its category below; on a scale that does not measure both in one line."""
    text = score_of(scale, datum.value)
    if datum.value is None:
        return text, ""
    if datum.span:
        return f"{text} ({interval_words(scale, datum.span)})", reading("label", scale, datum.value, *datum.span)
    label = "" if scale.norm == "unknown" else band_of(scale, datum.value)[1].label
    return f"{text} · {label}" if label else text, ""


def _names(scale: Scale, radius: float) -> Sequence[_Name]:
    names = []
    for band, start, end in stretches(scale):
        angle = (start + end) / 2 * math.pi
        lines = plain_lines(band.label, SMALL, _NAME_WIDTH, 2)
        x, y = -(radius + 6) * math.cos(angle), -(radius + 6) * math.sin(angle)
        align = "center" if abs(math.cos(angle)) < 0.25 else ("right" if math.cos(angle) > 0 else "left")
        left = x - {"right": _NAME_WIDTH, "center": _NAME_WIDTH / 2, "left": 0.0}[align]
        above = height_of(lines, SMALL) - 0.3 * SMALL.leading * abs(math.cos(angle))
        names.append((lines, left, y - above, align))
    return names


def _touch(names: Sequence[_Name]) -> bool:
    """Whether two names would touch."""
    boxes = []
    for lines, left, top, align in names:
        width = max(line.width for line in lines)
        left += {"left": 0.0, "center": (_NAME_WIDTH - width) / 2, "right": _NAME_WIDTH - width}[align]
        boxes.append((left, top, left + width + 2, top + height_of(lines, SMALL)))
    pairs = combinations(boxes, 2)
    return any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for a, b in pairs)
