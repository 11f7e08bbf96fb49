"""The words that the program itself puts into a report, and how it writes numbers and dates, in each language.

`speaking` holds for one rendering and its thread; outside of one it is Indonesian, with Jakarta's days.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

TIME_ZONE = "Asia/Jakarta"


@dataclass(frozen=True, slots=True)
class Wording:
    """What `languages.yaml` says in one language. Names in braces are filled in."""

    months: list[str]
    decimal: str
    thousands: str
    page: str
    contents: str
    nothing: str
    chart: str
    unmeasured: str
    to: str  # two neighbouring categories
    undecided: str
    undecided_text: str
    no_norm: str
    norm_unknown: str
    norm_example: str
    norm: str
    raw: str
    raw_example: str
    beyond: str
    interval: str
    category: str
    percentile: str
    score: str
    scale: str
    mean: str
    deviation: str
    reference: str
    up_to: str
    dark_band: str
    upright_line: str
    dashed_line: str
    brackets: str
    thin_line: str
    thick_line: str


_TEXTS = yaml.safe_load(Path(__file__).with_name("languages.yaml").read_text("utf-8"))
LANGUAGES = {language: Wording(**texts) for language, texts in _TEXTS.items()}
INDONESIAN, ENGLISH = LANGUAGES["id"], LANGUAGES["en"]
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
