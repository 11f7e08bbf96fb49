"""Norm bands, intervals and means as a table's meters and all charts draw them."""

from dataclasses import dataclass

from actors.pdf.page.flow import Place
from actors.pdf.product.measure import Band, Scale, Span, beyond, known
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


@dataclass(frozen=True, slots=True)
class Track:
    """A scale that lies across a page: it begins at `x` and is `width` points long."""

    place: Place
    scale: Scale
    x: float
    width: float

    def at(self, value: float) -> float:
        """Where on the page a value stands."""
        return self.x + share(self.scale, value) * self.width

    def bands(self, top: float, height: float, gap: float = 0.8) -> None:
        """The bands side by side, `gap` points apart."""
        for tone, (_, start, end) in enumerate(stretches(self.scale)):
            left, right = self.x + start * self.width, self.x + end * self.width
            self.place.canvas.rectangle(left, top, right - left - gap, height, BANDS[tone])
        self.place.canvas.outline(self.x, top, self.width - gap, height, RULE)  # the lightest band must show on white

    def lines(self, top: float, height: float, reference: float | None = None) -> None:
        """The mean of a measured scale as a line from `top` down, and the reference as a dashed one."""
        if known(self.scale) and self.scale.mean is not None:
            at = self.at(self.scale.mean)
            self.place.canvas.rule(at, top, at, top + height, INK, 0.6)
        if reference is not None:
            at, y = self.at(reference), top
            while y < top + height:
                self.place.canvas.rule(at, y, at, min(y + _DASH, top + height), DEEP, 1.0)
                y += 2 * _DASH

    def interval(self, span: Span | None, middle: float, height: float) -> None:
        """The interval of a score as a band with a white edge."""
        if span is not None:
            left, right = map(self.at, span)
            self.place.canvas.rectangle(left, middle - height / 2, max(right - left, 0.8), height, INTERVAL)
            self.place.canvas.outline(left, middle - height / 2, max(right - left, 0.8), height, WHITE, 0.6)

    def mark(self, value: float, middle: float, radius: float) -> None:
        """A disc where a score stands; a score beyond the scale is an arrowhead at the end that it passed."""
        at, side = self.at(value), beyond(self.scale, value)
        edge = WHITE if radius > 3 else None
        if side:
            tip = at + side * radius
            back = tip - side * 2 * radius
            corners = [(back, middle - radius), (tip, middle), (back, middle + radius)]
            self.place.canvas.path(corners, fill=DEEP, stroke=edge, width=1.0)
        else:
            self.place.canvas.disc(at, middle, radius, fill=DEEP, stroke=edge, width=1.0)

    def deviation(self, value: float, middle: float, height: float) -> None:
        """A bar from the mean to a score; without a mean from the scale's low end."""
        scale = self.scale
        start = share(scale, scale.mean) if known(scale) and scale.mean is not None else 0.0
        left, right = sorted((start * self.width, share(scale, value) * self.width))
        self.place.canvas.rectangle(self.x + left, middle - height / 2, max(right - left, 0.8), height, DEEP)
