"""Norm bands as a table's meters and all charts draw them."""

from __future__ import annotations

from actors.pdf.page.flow import Place
from actors.pdf.product.blocks import Band, Scale
from actors.pdf.style import BANDS, RULE


def share(scale: Scale, value: float) -> float:
    """Where a value stands on its scale, 0 to 1; values beyond the ends stand at the ends."""
    return min(1.0, max(0.0, (value - scale.low) / (scale.high - scale.low)))


def stretches(scale: Scale) -> list[tuple[Band, float, float]]:
    """Each band, from low to high, with where it begins and ends on the scale, 0 to 1."""
    ends = [share(scale, band.upto) for band in scale.bands]
    return list(zip(scale.bands, [0.0, *ends[:-1]], ends, strict=True))


def draw_bands(place: Place, scale: Scale, x: float, top: float, width: float, height: float, gap: float = 0.8) -> None:
    """The bands side by side, `gap` points apart."""
    for tone, (_, start, end) in enumerate(stretches(scale)):
        left, right = x + start * width, x + end * width
        place.canvas.rectangle(left, top, right - left - gap, height, BANDS[tone])
    place.canvas.outline(x, top, width - gap, height, RULE)  # the lightest band must show on white
