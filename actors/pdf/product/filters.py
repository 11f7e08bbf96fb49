"""The filters that know the template's scales: categories, intervals, percentiles, and who is stronger than whom."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from jinja2 import TemplateError, Undefined

from actors.pdf.product import measure
from actors.pdf.product.measure import Norm, Scale
from actors.pdf.product.psychometrics import rounded
from actors.pdf.product.values import Trusted, highest, lowest, number, strongest, weakest
from actors.pdf.product.wording import words


def filters_of(scales: Mapping[str, Scale]) -> Mapping[str, Callable[..., Any]]:
    """The filters by name; each takes the name of a scale, and raises TemplateError when there is none of that name."""

    def on(name: Any) -> Scale:
        if name not in scales:
            raise TemplateError(f"there is no scale named {name!r}")
        return scales[name]

    def scored(make: Callable[[Scale, Any, Any, Any], Any], missing: Callable[[], Any]) -> Callable[..., Any]:
        def made(value: Any, name: str, low: Any = None, high: Any = None) -> Any:
            scale = on(name)
            if isinstance(value, Undefined):
                return str(value)  # raises, and names what is missing
            return missing() if value is None else make(scale, value, low, high)

        return made

    def ordered(plain: Callable[..., list[Any]], sure: Callable[..., list[Any]], sign: int) -> Callable[..., list[Any]]:
        def made(rows: Sequence[Any], count: int, key: str = "skor", skala: str = "") -> list[Any]:
            return sure(rows, count, key, on(skala), sign) if skala else plain(rows, count, key)

        return made

    return {
        "tertinggi": ordered(highest, measure.extreme, 1),
        "terendah": ordered(lowest, measure.extreme, -1),
        "terkuat": ordered(strongest, measure.outstanding, 1),
        "terlemah": ordered(weakest, measure.outstanding, -1),
        "terbedakan": lambda rows, skala, key="skor": measure.differences(rows, key, on(skala)),
        "kategori": scored(partial(reading, "label"), lambda: Trusted(words().unmeasured)),
        "tafsiran": scored(partial(reading, "text"), lambda: Trusted("")),
        "tingkat": scored(_level, lambda: None),
        "rentang": scored(_interval, lambda: Trusted("–")),
        "rentang_ulang": scored(partial(_interval, retest=True), lambda: Trusted("–")),
        "persentil": scored(lambda scale, value, *_: Trusted(measure.percentile_of(scale, value) or "–"), lambda: "–"),
        "skor": scored(lambda scale, value, *_: score_of(scale, value), lambda: "–"),
        "terukur": lambda name: measure.known(on(name)),
        "norma": lambda name: norm_of(on(name)),
        "keyakinan": lambda name: f"{on(name).level}%",
        "selisih_kritis": lambda name, other=None: _least(on(name), on(other or name)),
    }


def reading(field: str, scale: Scale, value: float, low: float | None = None, high: float | None = None) -> Trusted:
    """The name (`label`) or the `text` of the band that the interval lies in, or of the two that it touches."""
    if scale.norm == "unknown":
        return Trusted(words().no_norm)
    if not any(getattr(band, field) for band in scale.bands):
        return Trusted("")
    bands = measure.bands_of(scale, value, measure.span_of(scale, value, low, high))
    if len(bands) > measure.MOST_BANDS:
        return Trusted(words().undecided if field == "label" else words().undecided_text)
    first, last = getattr(bands[0], field), getattr(bands[-1], field)
    joined = words().to.format(first=first, last=f"{last[:1].lower()}{last[1:]}")
    return Trusted(first if first == last else joined)


def _level(scale: Scale, value: float, low: float | None, high: float | None) -> int | None:
    bands = measure.bands_of(scale, value, measure.span_of(scale, value, low, high))
    undecided = scale.norm == "unknown" or len(bands) > measure.MOST_BANDS
    return None if undecided else measure.band_of(scale, value)[0]


def _interval(scale: Scale, value: float, low: float | None, high: float | None, *, retest: bool = False) -> Trusted:
    span = measure.span_of(scale, value, low, high, retest=retest)
    return Trusted(interval_words(scale, span) if span else "–")


def interval_words(scale: Scale, span: measure.Span) -> str:
    """An interval as it is printed."""
    return "–".join(number(end, scale.decimals) for end in span)


def score_of(scale: Scale, value: float | None) -> str:
    """A score as it is printed; one that lies beyond the scale as beyond the end that it passed."""
    side = 0 if value is None else measure.beyond(scale, value)
    if not side:
        return number(value, scale.decimals)
    return f"{'<' if side < 0 else '>'} {number(measure.ends(scale)[side > 0], scale.decimals)}"


def norm_of(scale: Scale) -> str:
    """The norm group in words."""
    norm = scale.norm
    if scale.kind == "raw":
        return words().raw_example if norm == "example" else words().raw
    if isinstance(norm, Norm):
        return words().norm.format(label=norm.label, n=number(norm.n), year=norm.year, ages=norm.ages)
    return {"unknown": words().norm_unknown, "example": words().norm_example}.get(norm or "", words().no_norm)


def spoken(scale: Scale, value: float | None, span: measure.Span | None = None) -> str:
    """All that is known of a score, in the words of an alternative text."""
    said = score_of(scale, value)
    if value is None:
        return said
    if measure.beyond(scale, value):
        said += f" ({words().beyond})"
    if not measure.known(scale) and span is None:
        label = "" if scale.norm == "unknown" else measure.band_of(scale, value)[1].label
        return f"{said} ({label})" if label else said
    if span:
        said += f", {words().interval.format(level=scale.level)} {interval_words(scale, span)}"
    if label := reading("label", scale, value, *(span or ())):
        said += f", {words().category.format(label=f'{label[:1].lower()}{label[1:]}')}"
    place = measure.percentile_of(scale, value)
    return f"{said}, {words().percentile} {place}" if place else said


def _least(scale: Scale, other: Scale) -> str:
    """The greatest difference that error alone explains, as it is printed: rounded down, so that more counts."""
    least = measure.margin(scale, other)
    if least is None:
        return "–"
    unit = 10.0**scale.decimals
    return number(rounded(int(least * unit) / unit, scale.decimals), scale.decimals)
