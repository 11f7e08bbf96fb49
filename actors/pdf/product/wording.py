"""The words that the program itself puts into a report, and how it writes numbers and dates, in each language.

`speaking` holds for one rendering and its thread; outside of one it is Indonesian, with Jakarta's days.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from zoneinfo import ZoneInfo

TIME_ZONE = "Asia/Jakarta"


@dataclass(frozen=True, slots=True)
class Wording:
    """One language. Names in braces are filled in."""

    months: tuple[str, ...]
    decimal: str
    thousands: str
    page: str = "Halaman {page} dari {pages}"
    contents: str = "Daftar isi"
    nothing: str = "Tidak ada data."
    chart: str = "Grafik"
    unmeasured: str = "belum terukur"
    to: str = "{first} hingga {last}"  # two neighbouring categories
    undecided: str = "Tidak ditetapkan"
    undecided_text: str = "dengan rentang yang mencakup lebih dari dua kategori"
    no_norm: str = "tanpa norma"
    norm_unknown: str = "norma tidak diketahui"
    norm_example: str = "norma contoh"
    norm: str = "{label}, n = {n}, {year}, usia {ages}"
    raw: str = "skor mentah"
    raw_example: str = "skor mentah, reliabilitas contoh"
    beyond: str = "di luar skala"
    interval: str = "rentang kepercayaan {level}%"
    category: str = "kategori {label}"
    percentile: str = "persentil"
    score: str = "skor"
    scale: str = "Skala {low}–{high}"
    mean: str = "rata-rata {mean}"
    deviation: str = "simpangan baku {sd}"
    reference: str = "acuan {at}"
    up_to: str = "s.d. {end}"
    dark_band: str = "pita gelap"
    upright_line: str = "garis tegak"
    dashed_line: str = "garis putus-putus"
    brackets: str = "dalam kurung"
    thin_line: str = "garis tipis"
    thick_line: str = "garis tebal"


INDONESIAN = Wording(
    months=(
        "Januari", "Februari", "Maret", "April", "Mei", "Juni",
        "Juli", "Agustus", "September", "Oktober", "November", "Desember",
    ),
    decimal=",",
    thousands=".",
)  # fmt: skip
ENGLISH = Wording(
    months=(
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
    decimal=".",
    thousands=",",
    page="Page {page} of {pages}",
    contents="Contents",
    nothing="No data.",
    chart="Chart",
    unmeasured="not measured",
    to="{first} to {last}",
    undecided="Not determined",
    undecided_text="with an interval that covers more than two categories",
    no_norm="without norms",
    norm_unknown="norms unknown",
    norm_example="example norms",
    norm="{label}, n = {n}, {year}, aged {ages}",
    raw="raw score",
    raw_example="raw score, example reliability",
    beyond="beyond the scale",
    interval="{level}% confidence interval",
    category="category {label}",
    percentile="percentile",
    score="score",
    scale="Scale {low}–{high}",
    mean="mean {mean}",
    deviation="standard deviation {sd}",
    reference="reference {at}",
    up_to="up to {end}",
    dark_band="dark band",
    upright_line="vertical line",
    dashed_line="dashed line",
    brackets="in brackets",
    thin_line="thin line",
    thick_line="thick line",
)  # fmt: skip
LANGUAGES = {"id": INDONESIAN, "en": ENGLISH}
_TAG = re.compile("(?P<language>[a-z]{2})(?:-[A-Za-z0-9]{2,8}){0,3}")


@dataclass(frozen=True, slots=True)
class Speech:
    """What a rendering speaks: the language's code, its words, and the time zone whose days are printed."""

    language: str
    words: Wording
    zone: ZoneInfo


_USUAL = Speech("id", INDONESIAN, ZoneInfo(TIME_ZONE))
_speech: ContextVar[Speech] = ContextVar("speech", default=_USUAL)


def language_of(tag: str) -> str | None:
    """The language of a tag such as `en` or `en-GB` (BCP 47); None when reports cannot be written in it."""
    found = _TAG.fullmatch(tag)
    return found["language"] if found and found["language"] in LANGUAGES else None


@contextmanager
def speaking(tag: str, zone: ZoneInfo) -> Iterator[None]:
    """Speak a language that `language_of` knows, until the block ends."""
    language = language_of(tag) or "id"
    token = _speech.set(Speech(language, LANGUAGES[language], zone))
    try:
        yield
    finally:
        _speech.reset(token)


def speech() -> Speech:
    """What is spoken now."""
    return _speech.get()


def words() -> Wording:
    """The words of the language that is spoken now."""
    return _speech.get().words
