r"""Values in templates: Jinja2's immutable sandbox, numbers and dates in the report's language.

Values of the report are escaped on their way into a text. So `*`, `\` and list dashes in a person's name stay what they
are. Only the product's own texts (`texts.yaml`, class `Trusted`) may carry emphasis.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from functools import cache
from typing import Any

from jinja2 import StrictUndefined, TemplateAssertionError, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from actors.pdf.product.wording import LANGUAGES, speech, words

_SPECIAL = re.compile(r"([\\*]|^\s*-(?=\s))")
_YEAR_FIRST = re.compile(r"\s{0,9}(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?!\d)")
_YEAR_LAST = re.compile(r"\s{0,9}(?P<day>\d{1,2})[-/. ](?P<month>\d{1,2}|[A-Za-z]{3,9})[-/. ](?P<year>\d{4})(?!\d)")
_MONTHS = [(name[:3].lower(), place) for one in LANGUAGES.values() for place, name in enumerate(one.months, start=1)]
_WORD = re.compile(r"[^\W\d]\w*")
_BREAKS = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_ENTRY = re.compile(r"[ \t]*[-•*–][ \t]+(?=\S)")  # how a line of a list begins in what people type
MOST_BITS, MOST_REPEATED = 4_096, 100_000  # of a power; letters or elements of a text or list that is repeated

Fill = Callable[[str, Mapping[str, Any]], str]  # a text with its values


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


@pass_context
def _printed(_context: object, value: object) -> str:
    return escaped(value)


def paragraphs(value: object) -> Trusted:
    """A text of the report with its own paragraphs and lists; in it nothing else is markup.

    A blank line parts paragraphs. A line that begins with a dash, a bullet or a star is an entry of a list.
    """
    parts: list[str] = []
    joint = ""  # what stands between the last line and one of the same kind
    for line in _BREAKS.split(str(value or "")):
        if not line.strip():
            joint = ""
            continue
        entry = _ENTRY.match(line)
        following = "\n- " if entry else "\u2028"
        parts.append(following if joint == following else "\n\n- " if entry else "\n\n")
        parts.append(escaped(line[entry.end() :] if entry else line.strip()))
        joint = following
    return Trusted("".join(parts).strip())


def number(value: object, decimals: int | None = None) -> str:
    """A number as the language writes it, 1.234,5 or 1,234.5; a dash for what is missing."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "–" if value is None else str(value)
    if decimals is None:
        decimals = 0 if float(value).is_integer() else 1
    whole, _, part = f"{value:z,.{decimals}f}".replace("-", "−").partition(".")
    whole = whole.replace(",", words().thousands)
    return f"{whole}{words().decimal}{part}" if part else whole


def day(value: object) -> str:
    """An ISO date, written out: 2026-10-12 → 12 Oktober 2026. Anything else is shown as it is.

    A moment that says how far its clock is from UTC is the day of the report's time zone.
    """
    found = _read(value) if isinstance(value, str) else value
    if isinstance(found, datetime) and found.tzinfo is not None:
        with suppress(OverflowError):  # the first or the last day that there is
            found = found.astimezone(speech().zone)
    if isinstance(found, date):
        return f"{found.day} {words().months[found.month - 1]} {found.year}"
    return "–" if value is None else str(value)


def _read(text: str) -> date | None:
    """The moment or day that a text begins with, as ISO 8601 writes it."""
    for read, part in ((datetime.fromisoformat, text.strip()), (date.fromisoformat, text[:10])):
        with suppress(ValueError):
            return read(part)
    return None


def is_day(text: str) -> bool:
    """False for a text that is written like a date, year first or year last, and names no day of the calendar."""
    found = _YEAR_FIRST.match(text) or _YEAR_LAST.match(text)
    if not found:
        return True
    parts = found.groupdict()
    month = parts["month"]
    if not month.isdecimal():
        named = next((place for name, place in _MONTHS if name == month[:3].lower()), None)
        if named is None:
            return True
        month = str(named)
    try:
        date(int(parts["year"]), int(month), int(parts["day"]))
    except ValueError:
        return False
    return True


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


class _Sandbox(ImmutableSandboxedEnvironment):
    """Refuses to make huge values of small ones: high powers, and texts or lists that are repeated often."""

    intercepted_binops = frozenset(("*", "**"))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """The product or power; raises SecurityError when it would be too great."""
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            if left.bit_length() * right > MOST_BITS:
                raise SecurityError("the power is too great")
        elif operator == "*":
            for many, times in ((left, right), (right, left)):
                repeated = isinstance(many, (str, list, tuple)) and isinstance(times, int)
                if repeated and len(many) * times > MOST_REPEATED:
                    raise SecurityError("the text or list is repeated too often")
        return super().call_binop(context, operator, left, right)


class Texts(Mapping[str, Any]):
    """The product's texts, looked up by name; a text gets the values of the place where it is used."""

    def __init__(self, source: Mapping[str, Any], fill: Fill, scope: Mapping[str, Any]) -> None:
        self._source = source
        self._fill = fill
        self._scope = scope

    def within(self, *values: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a place with these values can name: later ones before earlier ones, and as `teks` the texts there."""
        scope: dict[str, Any] = {}
        for one in values:
            scope |= one
        scope["teks"] = Texts(self._source, self._fill, scope)
        return scope

    def __getitem__(self, key: str) -> Any:
        found = self._source[key]
        if isinstance(found, Mapping):
            return Texts(found, self._fill, self._scope)
        if isinstance(found, str):
            return self._filled(found)
        if isinstance(found, list):
            return [self._filled(text) if isinstance(text, str) else text for text in found]
        return found

    def _filled(self, text: str) -> Trusted:
        return Trusted(self._fill(text, self._scope) if "{" in text else text)

    def __iter__(self) -> Iterator[str]:
        return iter(self._source)

    def __len__(self) -> int:
        return len(self._source)


class Expressions:
    """Compiled texts and expressions of one template. All its documents share them, so they hold no data."""

    def __init__(self, filters: Mapping[str, Callable[..., Any]]) -> None:
        # Nothing is computed when a text is compiled: no language and no time zone is known yet.
        environment = _Sandbox(undefined=StrictUndefined, finalize=_printed, optimized=False)
        environment.globals.clear()
        environment.filters.update(angka=number, tanggal=day, paragraf=paragraphs, **filters)
        self._environment = environment
        self._own = ("angka", "tanggal", "paragraf", *filters)
        self._text = cache(lambda source: environment.from_string(source).render)
        self._expression = cache(lambda source: environment.compile_expression(source, undefined_to_none=False))
        self.words: set[str] = set()  # all words of the checked texts that may name a value

    def filters_in(self, source: str, *, expression: bool) -> Iterator[tuple[str, list[Any], dict[str, Any]]]:
        """The filters of a checked text with their constant arguments; any other argument is None."""
        if "|" not in source:
            return
        tree = self._environment.parse(f"{{{{ {source} }}}}" if expression else source)
        for found in tree.find_all(nodes.Filter):
            named = {str(pair.key): getattr(pair.value, "value", None) for pair in found.kwargs}
            yield found.name, [getattr(value, "value", None) for value in found.args], named

    def check(self, source: str, *, expression: bool) -> None:
        """Compile; raises jinja2.TemplateError with the line within the text."""
        self.words.update(_WORD.findall(source))
        try:
            if expression:
                self._expression(source)
            elif "{" in source:
                self._text(source)
        except TemplateAssertionError as error:
            message = f"{error.message} There is {', '.join(self._own)}, and Jinja's own."
            raise TemplateAssertionError(message, error.lineno) from error

    def fill(self, source: str, scope: Mapping[str, Any]) -> str:
        """`source` with its values, marked up."""
        return self._text(source)(scope) if "{" in source else source

    def evaluate(self, source: str, scope: Mapping[str, Any]) -> Any:
        """The value of an expression; raises UndefinedError when it names what is not there."""
        value = self._expression(source)(scope)
        if isinstance(value, Undefined):
            str(value)
        return value
