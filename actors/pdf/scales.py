"""Norm bands, intervals and means as a table's meters and all charts draw them."""

from __future__ import annotations

from actors.pdf.page.flow import Place
from actors.pdf.product.blocks import Band, Scale
from actors.pdf.product.measure import Span, beyond, known
from actors.pdf.style import BANDS, DEEP, INK, RULE, WHITE

INTERVAL = BANDS[-1]  # darker than a band that an interval lies on, lighter than the data
_DASH = 3.0


def share(scale: Scale, value: float) -> float:
    """Where a value stands on its scale, 0 to 1; values beyond the ends stand at the ends."""
    return min(1.0, max(0.0, (value - scale.low) / (scale.high - scale.low)))


def stretches(scale: Scale) -> list[tuple[Band, float, float]]:
    """Each band, from low to high, with where it begins and ends on the scale, 0 to 1.

    Bands of a measured scale meet halfway between two scores, so that they mirror each other; an unknown norm has none.
    """
    bands = [Band(upto=scale.high)] if scale.norm == "unknown" else scale.bands
    half = 0.5 / 10**scale.decimals if known(scale) and scale.kind == "norm" else 0.0
    ends = [share(scale, band.upto + half) for band in bands]
    return list(zip(bands, [0.0, *ends[:-1]], ends, strict=True))


def draw_bands(place: Place, scale: Scale, x: float, top: float, width: float, height: float, gap: float = 0.8) -> None:
    """The bands side by side, `gap` points apart."""
    for tone, (_, start, end) in enumerate(stretches(scale)):
        left, right = x + start * width, x + end * width
        place.canvas.rectangle(left, top, right - left - gap, height, BANDS[tone])
    place.canvas.outline(x, top, width - gap, height, RULE)  # the lightest band must show on white


def draw_lines(
    place: Place, scale: Scale, reference: float | None, x: float, top: float, width: float, height: float
) -> None:
    """The mean of a measured scale as a line from `top` down, and the reference as a dashed one."""
    if known(scale) and scale.mean is not None:
        at = x + share(scale, scale.mean) * width
        place.canvas.rule(at, top, at, top + height, INK, 0.6)
    if reference is not None:
        at, y = x + share(scale, reference) * width, top
        while y < top + height:
            place.canvas.rule(at, y, at, min(y + _DASH, top + height), DEEP, 1.0)
            y += 2 * _DASH


def draw_interval(
    place: Place, scale: Scale, span: Span | None, x: float, middle: float, width: float, height: float
) -> None:
    """The interval of a score as a band with a white edge."""
    if span is not None:
        left, right = (x + share(scale, end) * width for end in span)
        place.canvas.rectangle(left, middle - height / 2, max(right - left, 0.8), height, INTERVAL)
        place.canvas.outline(left, middle - height / 2, max(right - left, 0.8), height, WHITE, 0.6)


def draw_mark(place: Place, scale: Scale, value: float, x: float, middle: float, width: float, radius: float) -> None:
    """A disc where a score stands; a score beyond the scale is an arrowhead at the end that it passed."""
    at, side = x + share(scale, value) * width, beyond(scale, value)
    edge = WHITE if radius > 3 else None
    if side:
        tip = at + side * radius
        corners = [
            (tip - side * 2 * radius, middle - radius),
            (tip, middle),
            (tip - side * 2 * radius, middle + radius),
        ]
        place.canvas.path(corners, fill=DEEP, stroke=edge, width=1.0)
    else:
        place.canvas.disc(at, middle, radius, fill=DEEP, stroke=edge, width=1.0)


def draw_deviation(
    place: Place, scale: Scale, value: float, x: float, middle: float, width: float, high: float
) -> None:
    """A bar from the mean to a score; without a mean from the scale's low end."""
    start = share(scale, scale.mean) if known(scale) and scale.mean is not None else 0.0
    left, right = sorted((start * width, share(scale, value) * width))
    place.canvas.rectangle(x + left, middle - high / 2, max(right - left, 0.8), high, DEEP)
