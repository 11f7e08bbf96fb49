"""Headers that receivers want beside the signature, as n8n's Header Auth does: the setting REPORTQ_WEBHOOK_HEADERS.

Entries stand one a line, or separated by commas: an origin, a blank, the header. `https://n8n.example.com X-Auth: secret`.
A header goes to its very origin (scheme, host and port) and nowhere else. Its value is shown nowhere.
"""

import html
import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, urlsplit

from schema.callbacks.urls import host_key
from schema.environment.variables import SettingsError

_ENTRY = re.compile(
    r"(?P<origin>https?://[^\s/?#@]+)/? +(?P<name>[\w!#$%&'*+.^`|~-]+): *(?P<value>[!-~](?:[ -~]*[!-~])?)", re.A | re.I
)
_LEAST = 8  # Characters. A shorter value could not be hidden in an answer: it looks like other text.
# What each POST has by itself, and what would change how it is read.
_OURS = re.compile(
    r"host|connection|keep-alive|content-.*|transfer-encoding|te|trailer|upgrade|expect|accept(-encoding)?|user-agent|"
    r"x-request-id|traceparent|proxy-.*|webhook-.*",
    re.I,
)

_ALLOWED = (
    "an origin, a blank, a header: https://n8n.example.com X-Auth: value; one a line, or separated by commas; no header "
    "that callbacks have already; a value of at least 8 characters of ASCII without a comma"
)


@dataclass(frozen=True, slots=True)
class ReceiverHeaders:
    """Origin → name → value."""

    sets: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the setting's value. Raises SettingsError that says which entry is at fault, and never what stands in it."""
        sets: dict[str, dict[str, str]] = {}
        entries = [part.strip() for part in text.split(",") if part.strip()]
        for number, entry in enumerate(entries, 1):
            found = _ENTRY.fullmatch(entry)
            key = origin_of(found["origin"]) if found else None
            if found is None or key is None or len(found["value"]) < _LEAST or _OURS.fullmatch(found["name"]):
                raise SettingsError(
                    "REPORTQ_WEBHOOK_HEADERS", f"entry {number} of {len(entries)}, which is none", _ALLOWED
                )
            if sets.setdefault(key, {}).setdefault(found["name"].lower(), found["value"]) != found["value"]:
                raise SettingsError("REPORTQ_WEBHOOK_HEADERS", f"entry {number} with an earlier one's header", _ALLOWED)
        return cls(sets)

    def of(self, url: str) -> Mapping[str, str]:
        """The headers of a POST to this URL."""
        return self.sets.get(origin_of(url) or "", {}) if self.sets else {}


def origin_of(url: str) -> str | None:
    """Scheme, host and port in one spelling; None for a URL without them."""
    key = host_key(url)
    return None if key == "-" else f"{urlsplit(url).scheme}://{key}"


def spellings(value: str) -> Iterator[str]:
    """How an answer may repeat a header's value: whole or without its scheme, escaped, or decoded as Basic is."""
    scheme, blank, token = value.partition(" ")
    parts = {value, token.strip()} if blank else {value}
    if scheme.lower() == "basic":
        try:
            user, _, password = b64decode(token).decode().partition(":")
        except ValueError:  # it is none
            user = password = ""
        parts |= {f"{user}:{password}", password}
    for part in parts:
        for form in (part, json.dumps(part)[1:-1], html.escape(part), quote(part), quote(part, safe="")):
            if len(form) >= _LEAST:
                yield form
