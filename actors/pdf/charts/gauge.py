"""The gauge: one value on a half circle of norm bands."""

from __future__ import annotations

import math
from dataclasses import replace

from actors.pdf.charts.parts import Datum, figure, shown
from actors.pdf.page.flow import Item, Place
from actors.pdf.product.blocks import Scale
from actors.pdf.product.values import band_of
from actors.pdf.prose import height_of, plain_lines, put
from actors.pdf.scales import share, stretches
from actors.pdf.style import BANDS, DEEP, GRID, HALF, LABEL_STRONG, RULE, SMALL, WHITE


def gauge_items(title: str, value: float | None, scale: Scale, measure: float) -> list[Item]:
    """A half circle of bands with a hand."""
    radius = min(84.0, measure / 2 - 50)
    height = math.ceil((radius + 38) / HALF) * HALF

    def draw(place: Place, x: float, top: float) -> None:
        canvas = place.canvas
        middle, base = x + measure / 2, top + radius + 14
        for tone, (band, start, end) in enumerate(stretches(scale)):
            first, last = start * math.pi + 0.008, end * math.pi - 0.008
            canvas.ring_part(middle, base, radius * 0.70, radius, first, last, BANDS[tone], RULE)
            angle = (start + end) / 2 * math.pi
            lines = plain_lines(band.label, SMALL, 60, 2)
            px, py = middle - (radius + 6) * math.cos(angle), base - (radius + 6) * math.sin(angle)
            align = "center" if abs(math.cos(angle)) < 0.25 else ("right" if math.cos(angle) > 0 else "left")
            left = px - (60 if align == "right" else 30 if align == "center" else 0)
            above = height_of(lines, SMALL) - 0.3 * SMALL.leading * abs(math.cos(angle))
            put(place, lines, SMALL, left, py - above, 60, align)
        if value is not None:
            angle = share(scale, value) * math.pi
            tip = (middle - radius * 0.93 * math.cos(angle), base - radius * 0.93 * math.sin(angle))
            side = (2.6 * math.sin(angle), -2.6 * math.cos(angle))
            canvas.path([(middle + side[0], base + side[1]), tip, (middle - side[0], base - side[1])], fill=DEEP)
            canvas.disc(middle, base, 4.6, fill=DEEP, stroke=WHITE, width=1)
        big = replace(LABEL_STRONG, size=11.0, leading=GRID)
        text = shown(scale, value)
        if value is not None:
            text = f"{text} · {band_of(scale, value)[1].label}"
        put(place, plain_lines(text, big, measure, 1), big, x, base + 8, measure, "center")

    return figure([Item(height, draw, before=HALF)], title, [Datum(title, value)], scale)
