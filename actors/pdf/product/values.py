r"""Values in templates: Jinja2's immutable sandbox, Indonesian numbers and dates.

Values of the report are escaped on their way into a text. So `*`, `\` and list dashes in a person's name stay what they
are. Only the product's own texts (`texts.yaml`, class `Trusted`) may carry emphasis.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from actors.pdf.product.blocks import Band, Scale

MONTHS = (
    "Januari",
    "Februari",
    "Maret",
    "April",
    "Mei",
    "Juni",
    "Juli",
    "Agustus",
    "September",
    "Oktober",
    "November",
    "Desember",
)
_SPECIAL = re.compile(r"([\\*]|^\s*-(?=\s))")
_WORD = re.compile(r"[^\W\d]\w*")
_BREAKS = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")


class Trusted(str):
    """Text written by the template's author: its markup counts."""

    __slots__ = ()


def escaped(value: object) -> str:
    """A value of the report as plain text, for use in a marked-up text."""
    if isinstance(value, Trusted):
        return value
    if value is None:
        return "–"
    if isinstance(value, float):
        return number(value)
    text = str(value)
    if text.isalnum():
        return text
    return _BREAKS.sub("\u2028", _SPECIAL.sub(r"\\\1", text))


def number(value: object, decimals: int | None = None) -> str:
    """A number the Indonesian way: decimal comma, thousands point; a dash for what is missing."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "–" if value is None else str(value)
    if decimals is None:
        decimals = 0 if float(value).is_integer() else 1
    return f"{value:,.{decimals}f}".replace(",", "\0").replace(".", ",").replace("\0", ".").replace("-", "−")


def day(value: object) -> str:
    """An ISO date, written out: 2026-10-12 → 12 Oktober 2026. Anything else is shown as it is."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value[:10])
        except ValueError:
            return str(value)
    if isinstance(value, (date, datetime)):
        return f"{value.day} {MONTHS[value.month - 1]} {value.year}"
    return "–" if value is None else str(value)


def highest(rows: Sequence[Any], count: int, key: str = "skor") -> list[Any]:
    """The `count` elements with the greatest `key`, greatest first; missing values are left out, ties keep order."""
    return sorted((row for row in rows if row.get(key) is not None), key=lambda row: -row[key])[:count]


def lowest(rows: Sequence[Any], count: int, key: str = "skor") -> list[Any]:
    """The `count` elements with the smallest `key`, smallest first; missing values are left out."""
    return sorted((row for row in rows if row.get(key) is not None), key=lambda row: row[key])[:count]


def strongest(rows: Sequence[Any], count: int, key: str = "skor") -> list[Any]:
    """The elements that may be called strong beside the rest, greatest first.

    There are at most `count`, at most half of what was measured, and all lie above the lowest one. When all scores are
    equal or too few, there are none.
    """
    ranked = highest(rows, len(rows), key)
    return [row for row in ranked[: min(count, len(ranked) // 2)] if row[key] > ranked[-1][key]]


def weakest(rows: Sequence[Any], count: int, key: str = "skor") -> list[Any]:
    """The counterpart of `strongest`, lowest first; whatever the counts, no element is in both lists."""
    ranked = highest(rows, len(rows), key)
    half = len(ranked) // 2
    return [row for row in ranked[::-1][: min(count, half)] if row[key] < ranked[half - 1][key]]


def band_of(scale: Scale, value: float) -> tuple[int, Band]:
    """The band a value falls into, and its place from the bottom; the printed (rounded) value decides."""
    value = round(value, scale.decimals)
    for place, band in enumerate(scale.bands):
        if value <= band.upto:
            return place, band
    return len(scale.bands) - 1, scale.bands[-1]


class Texts(Mapping[str, Any]):
    """The product's texts, looked up by name; a text gets its values when it is used."""

    def __init__(self, source: Mapping[str, Any], fill: Callable[[str], str]) -> None:
        self._source = source
        self._fill = fill

    def __getitem__(self, key: str) -> Any:
        found = self._source[key]
        if isinstance(found, Mapping):
            return Texts(found, self._fill)
        if isinstance(found, str):
            return Trusted(self._fill(found) if "{" in found else found)
        if isinstance(found, list):
            return [Trusted(self._fill(text)) if isinstance(text, str) else text for text in found]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._source)

    def __len__(self) -> int:
        return len(self._source)


class Expressions:
    """Compiled texts and expressions of one template. All its documents share them, so they hold no data."""

    def __init__(self, scales: Mapping[str, Scale]) -> None:
        environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, finalize=escaped, autoescape=False, keep_trailing_newline=False
        )
        environment.globals.clear()
        environment.filters.update(
            angka=number,
            tanggal=day,
            tertinggi=highest,
            terendah=lowest,
            terkuat=strongest,
            terlemah=weakest,
            kategori=lambda value, name: self._band(scales, name, value, "label"),
            tafsiran=lambda value, name: self._band(scales, name, value, "text"),
            tingkat=lambda value, name: band_of(scales[name], value)[0],
        )
        self._text = cache(lambda source: environment.from_string(source).render)
        self._expression = cache(lambda source: environment.compile_expression(source, undefined_to_none=False))
        self.words: set[str] = set()  # all words of the checked texts that may name a value

    @staticmethod
    def _band(scales: Mapping[str, Scale], name: str, value: Any, field: str) -> Trusted:
        if name not in scales:
            raise TemplateError(f"there is no scale named {name!r}")
        if value is None:
            return Trusted("belum terukur" if field == "label" else "")
        if isinstance(value, Undefined):
            return Trusted(str(value))  # raises, and names what is missing
        return Trusted(getattr(band_of(scales[name], value)[1], field))

    def check(self, source: str, *, expression: bool) -> None:
        """Compile; raises jinja2.TemplateError with the line within the text."""
        self.words.update(_WORD.findall(source))
        if expression:
            self._expression(source)
        elif "{" in source:
            self._text(source)

    def fill(self, source: str, scope: Mapping[str, Any]) -> str:
        """`source` with its values, marked up."""
        return self._text(source)(scope) if "{" in source else source

    def evaluate(self, source: str, scope: Mapping[str, Any]) -> Any:
        """The value of an expression; raises UndefinedError when it names what is not there."""
        value = self._expression(source)(scope)
        if isinstance(value, Undefined):
            str(value)
        return value
