"""Values from the environment: each variable is read, converted and checked, or refused with a sentence.

A variable is `REPORTQ_` plus the field's name in capitals. The variable with `_FILE` at its end gives the path of a file
that holds the value; secrets are best given so.
"""

import codecs
import difflib
from collections.abc import Mapping
from dataclasses import field, fields
from typing import Any, get_type_hints

from schema.environment import server_urls
from schema.environment.url_parts import UrlFault

PREFIX = "REPORTQ_"
_LONGEST = 315_360_000.0  # seconds: ten years; the clocks of databases and of threads end not far beyond
_LARGEST = 2**31 - 1
MOST = 1_000_000  # bytes of one file
# The longer marks first: UTF-16's begins UTF-32's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class SettingsError(ValueError):
    """A variable that cannot be used: says which, what was read, and what is allowed."""

    def __init__(self, variable: str, read: str, allowed: str) -> None:
        super().__init__(f"{variable}: read {read}; allowed: {allowed}.")


class UnknownSetting(SettingsError):
    """A variable that reportq does not know; most are misspelt."""

    def __init__(self, variable: str, known: frozenset[str]) -> None:
        names = [name.removeprefix(PREFIX) for name in sorted(known)]
        if not variable.endswith("_FILE"):
            names = [name for name in names if not name.endswith("_FILE")]
        close = difflib.get_close_matches(variable.removeprefix(PREFIX), names, n=3)
        meant = f" Did you mean {' or '.join(PREFIX + name for name in close)}?" if close else ""
        ValueError.__init__(
            self, f"{variable}: there is no such setting; ops/SETTINGS.md lists those that there are.{meant}"
        )


def setting(
    default: Any,
    doc: str,
    *,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] = (),
    schemes: tuple[str, ...] = (),
    secret: bool = False,
    separator: str = "",
) -> Any:
    """One field of the settings: its default, what it means, and what a value must be.

    `schemes` are those of a URL, `separator` stands between the parts of a list; a `secret` is shown nowhere.
    """
    metadata = {
        "doc": doc, "least": least, "most": most, "choices": choices, "schemes": schemes, "secret": secret,
        "separator": separator,
    }  # fmt: skip
    return field(default=default, metadata=metadata, repr=not secret)


def variables(table: Any) -> frozenset[str]:
    """Every variable that the fields of this dataclass are read from, those with `_FILE` included."""
    names = [PREFIX + spec.name.upper() for spec in fields(table)]
    return frozenset(names + [name + "_FILE" for name in names])


def values(table: Any, environ: Mapping[str, str]) -> dict[str, Any]:
    """Field → value of each variable that is set; raises SettingsError for the first that cannot be used."""
    known = variables(table)
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            raise UnknownSetting(name, known)
    kinds = get_type_hints(table)
    texts = ((spec, _read(environ, spec)) for spec in fields(table))
    return {spec.name: _convert(spec, kinds[spec.name], text) for spec, text in texts if text is not None}


def _read(environ: Mapping[str, str], spec: Any) -> str | None:
    variable = PREFIX + spec.name.upper()
    path = environ.get(variable + "_FILE")
    try:
        if not path:
            given = environ.get(variable)
            return None if given is None else cleaned(given, spec.metadata["separator"])
        text = cleaned(read(path), spec.metadata["separator"])
    except OSError as error:
        raise SettingsError(variable + "_FILE", f"{path!r} ({error.strerror})", "a readable file") from None
    except ValueError as error:
        if not path:
            raise SettingsError(variable, f"a value of which is wrong that {error}", "one line of plain text") from None
        raise SettingsError(variable + "_FILE", f"{path!r}, but {error}", "a file of plain text, UTF-8") from None
    if not text:
        raise SettingsError(variable + "_FILE", f"{path!r}, which is empty", "a file that holds the value")
    return text


def _convert(spec: Any, kind: type, text: str) -> Any:
    variable = PREFIX + spec.name.upper()
    rules = spec.metadata
    shown = "a secret value" if rules["secret"] else repr(text)
    if rules["choices"] and text not in rules["choices"]:
        raise SettingsError(variable, shown, ", ".join(rules["choices"]))
    if rules["schemes"]:
        scheme = text.partition(":")[0]
        if ":" not in text or scheme not in rules["schemes"]:
            raise SettingsError(
                variable, f"a URL that begins with {scheme!r}", ", ".join(f"{s}:…" for s in rules["schemes"])
            )
        try:
            server_urls.check(spec.name, text)
        except UrlFault as fault:
            raise SettingsError(variable, fault.read, fault.allowed) from None
        return text
    if kind is bool:
        if text.lower() not in _TRUE + _FALSE:
            raise SettingsError(variable, shown, "true or false")
        return text.lower() in _TRUE
    if kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            number = None
        low = rules["least"]
        high = (_LARGEST if kind is int else _LONGEST) if rules["most"] is None else rules["most"]
        if number is None or not low <= number <= high:  # nan is not
            noun = "a whole number" if kind is int else "a number"
            raise SettingsError(variable, shown, f"{noun} from {low:g} to {high:.10g}")
        return number
    return text


def read(path: str) -> str:
    """The text of a file; raises OSError, or ValueError with the reason in words."""
    with open(path, "rb") as file:
        content = file.read(MOST + 1)
    if len(content) > MOST:
        raise ValueError(f"it has more than {MOST:,} bytes")
    return decoded(content)


def decoded(content: bytes) -> str:
    """UTF-8, or what its byte-order mark says; raises ValueError with the reason in words."""
    mark, encoding = next((pair for pair in _MARKS if content.startswith(pair[0])), (b"", "utf-8"))
    try:
        text = content[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        raise ValueError(f"it is not {encoding.upper()} text") from None
    if "\0" in text:
        raise ValueError("it holds NUL bytes, as UTF-16 without a byte-order mark does")
    return text


def cleaned(text: str, separator: str) -> str:
    """One value: its lines joined by `separator`, without blanks around; raises ValueError with the reason in words."""
    lines = [line.strip(f" \t\ufeff{separator}") for line in text.splitlines()]
    lines = [line for line in lines if line] if separator else [text.strip().strip("\ufeff").strip()]
    value = separator.join(lines)
    if len(value.splitlines()) > 1:
        raise ValueError("it has several lines, and one value is wanted")
    if not value.isprintable():
        odd = next(character for character in value if not character.isprintable())
        raise ValueError(f"it holds U+{ord(odd):04X}, which is no printable character")
    return value
