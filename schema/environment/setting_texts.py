"""Settings as people and their editors write them, in variables and files: read as meant, or refused with a reason."""

from __future__ import annotations

import codecs

MOST = 1_000_000  # bytes of one file
# The longer marks first: UTF-16's begins UTF-32's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip


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
