"""Scales, as templates describe them, and what a report may claim of a score: where it lies, what it differs from."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from actors.pdf.product.brand import Strict
from actors.pdf.product.psychometrics import critical_difference, interval, percentile, retest_interval, rounded
from schema.prepared import prepare

Span = tuple[float, float]
MOST_BANDS = 2  # When an interval touches more bands, its score has no category.
MOST_COMPARED = 60  # Most scores that are compared each with each, because the time grows with the square.


class Band(Strict, frozen=True, kw_only=True):
    """A stretch of a scale up to and including `upto`, with the name and the reading of values in it."""

    upto: float
    label: str = ""
    text: str = ""


class Norm(Strict, frozen=True, kw_only=True):
    """The group that scores are compared with."""

    label: str
    n: Annotated[int, Meta(gt=0)]
    year: Annotated[int, Meta(ge=1900, le=2200)]
    ages: str


class Scale(Strict, frozen=True, kw_only=True):
    """The range that charts show and its norm bands, from low to high; and how exactly the scores are measured.

    A scale with `sd` and `reliability` has intervals and comparisons, and one with a norm has percentiles as well. The
    norm `unknown` forbids all three; `example` is told as such. A `raw` scale has no norm group.
    """

    low: float
    high: float
    bands: Annotated[list[Band], Meta(min_length=1, max_length=6)]
    decimals: Annotated[int, Meta(ge=0, le=3)] = 0
    kind: Literal["norm", "raw"] = "norm"
    mean: float | None = None
    sd: Annotated[float, Meta(gt=0)] | None = None
    reliability: Annotated[float, Meta(ge=0, lt=1)] | None = None
    norm: Norm | Literal["unknown", "example"] | None = None
    level: Literal[68, 90, 95] = 95  # per cent of confidence of the printed intervals
    min: float | None = None  # the lowest and the highest score that the test can give; low and high if left out
    max: float | None = None


def known(scale: Scale) -> bool:
    """Whether the scale says how exactly it measures: only then are there intervals and comparisons."""
    return scale.sd is not None and scale.reliability is not None and scale.norm != "unknown"


def normed(scale: Scale) -> bool:
    """Whether scores can be placed in a norm group."""
    return known(scale) and scale.mean is not None and scale.kind == "norm"


def centre(scale: Scale) -> float:
    """The mean, or the middle of a scale without one: no strength lies below it, and no weakness above."""
    return (scale.low + scale.high) / 2 if scale.mean is None else scale.mean


def ends(scale: Scale) -> Span:
    """The lowest and the highest score that the test can give."""
    return (scale.low if scale.min is None else scale.min), (scale.high if scale.max is None else scale.max)


def beyond(scale: Scale, value: float) -> int:
    """-1 for a score below the scale, 1 for one above it; 0 for all scores of a scale that says nothing of itself."""
    least, most = ends(scale)
    value = round(value, scale.decimals)
    return int(known(scale)) * ((value > most) - (value < least))


def span_of(
    scale: Scale, value: float | None, low: float | None = None, high: float | None = None, *, retest: bool = False
) -> Span | None:
    """The interval around the printed score: the given ends, or ends from the reliability; None if unknown.

    With `retest` it is the interval of the score of a second test, wider by the square root of two.
    """
    if value is None or scale.norm == "unknown":
        return None
    least, most = ends(scale)
    if low is None or high is None:
        if scale.sd is None or scale.reliability is None:
            return None
        inside = min(max(round(value, scale.decimals), least), most)
        low, high = (retest_interval if retest else interval)(inside, scale.sd, scale.reliability, scale.level)
    elif retest:
        low, high = (value + (end - value) * math.sqrt(2) for end in (low, high))
    low, high = rounded(low, scale.decimals), rounded(high, scale.decimals)
    return min(max(low, least), most), min(max(high, least), most)


def band_of(scale: Scale, value: float) -> tuple[int, Band]:
    """The band a value falls into, and its place from the bottom; the printed (rounded) value decides."""
    value = round(value, scale.decimals)
    for place, band in enumerate(scale.bands):
        if value <= band.upto:
            return place, band
    return len(scale.bands) - 1, scale.bands[-1]


def bands_of(scale: Scale, value: float, span: Span | None) -> Sequence[Band]:
    """The bands that a score's interval touches, from low to high; without an interval the score's own band."""
    if span is None:
        return [band_of(scale, value)[1]]
    return scale.bands[band_of(scale, span[0])[0] : band_of(scale, span[1])[0] + 1]


def percentile_of(scale: Scale, value: float | None) -> str | None:
    """The percentile as it is printed; None without a norm group."""
    if value is None or scale.mean is None or scale.sd is None or not normed(scale):
        return None
    return percentile(round(value, scale.decimals), scale.mean, scale.sd)


def margin(scale: Scale, other: Scale | None = None) -> float | None:
    """What two scores of one person may differ by through error alone (95 %); only more than that is a difference."""
    other = other or scale
    sd, first, second = scale.sd, scale.reliability, other.reliability
    if sd is None or first is None or second is None or not (known(scale) and known(other)):
        return None
    return critical_difference(sd, first, second) if (sd, scale.mean) == (other.sd, other.mean) else None


def outstanding(rows: Sequence[Any], count: int, key: str, scale: Scale, sign: int) -> list[Any]:
    """The elements that differ for certain from all others: the strong ones (`sign` 1) or the weak ones (-1).

    At most `count` of them. When only a larger group stands apart, all of it, but never more than half of the rows.
    """
    least = margin(scale)
    ranked = sorted((row for row in rows if row.get(key) is not None), key=lambda row: -sign * row[key])
    if least is None:
        return []
    cuts = [
        place
        for place in range(1, len(ranked) // 2 + 1)
        if sign * (ranked[place - 1][key] - ranked[place][key]) > least
        and sign * (ranked[place - 1][key] - centre(scale)) >= 0
    ]
    fitting = [place for place in cuts if place <= count]
    return ranked[: max(fitting) if fitting else min(cuts, default=0)]


def extreme(rows: Sequence[Any], count: int, key: str, scale: Scale, sign: int) -> list[Any]:
    """The `count` highest (`sign` 1) or lowest (-1) elements, and all that cannot be told apart from the last of them."""
    least = margin(scale)
    ranked = sorted((row for row in rows if row.get(key) is not None), key=lambda row: -sign * row[key])
    if least is None or not ranked or count < 1:
        return []
    last = ranked[min(count, len(ranked)) - 1][key]
    return [row for row in ranked if sign * (last - row[key]) <= least]


def differences(rows: Sequence[Any], key: str, scale: Scale) -> list[Mapping[str, Any]]:
    """Every element that is higher for certain than others, highest first, with those as `lebih_rendah`."""
    least = margin(scale)
    ranked = sorted((row for row in rows if row.get(key) is not None), key=lambda row: -row[key])
    if least is None or len(ranked) > MOST_COMPARED:
        return []
    found = [{**row, "lebih_rendah": [other for other in ranked if row[key] - other[key] > least]} for row in ranked]
    return [row for row in found if row["lebih_rendah"]]


def mismeasured(scale: Scale) -> str:
    """A contradiction in a scale's description of how it measures."""
    least, most = ends(scale)
    if scale.kind == "norm" and not all(band.label for band in scale.bands):
        return "every band needs a `label`; only the bands of `kind: raw` may go without"
    if not scale.low <= least < most <= scale.high:
        return f"min ({least:g}) must be below max ({most:g}), and both lie between low and high"
    if scale.mean is not None and not least < scale.mean < most:
        return f"the mean ({scale.mean:g}) must lie between min ({least:g}) and max ({most:g})"
    if scale.norm == "unknown" or scale.mean is scale.sd is scale.reliability is None:
        return ""
    if scale.sd is None or scale.reliability is None:
        return "`sd` and `reliability` belong together"
    if scale.kind == "norm" and (scale.mean is None or scale.norm is None):
        return "`mean` and `norm` are missing: name the norm group, or write `norm: unknown` or `kind: raw`"
    return ""


prepare(__name__)
