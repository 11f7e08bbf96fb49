"""Capabilities taken out of free text: what receivers answer, and what logs would repeat.

Each reader of a resume URL can end the n8n execution that waits for it (DESIGN §3). Receivers repeat the URL in their
answers: whole, as the bare target of "Cannot POST …", parsed into JSON, or escaped in some way.
"""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, urlsplit

from schema.callbacks.urls import HIDDEN, is_plain_word, redact

_SLASH = r"(?:\\?/|%2f|\\u002f|&#x0*2f;|&#0*47;)"
_EQUALS = r"(?:=|%3d|\\u003d|&#x0*3d;|&#0*61;)"
_END = r"(?=\\?[\"'<>\s]|$)"
_SHAPE = rf"{HIDDEN}(?:/{HIDDEN})*(?:\?[a-z_-]+={HIDDEN})?"  # as redact() leaves one
_RESUME = re.compile(rf"(webhook(?:-|%2d)waiting){_SLASH}(?!{_SHAPE}{_END})[^\s\"'<>]+?{_END}", re.I)
_SIGNATURE = re.compile(rf"(signature{_EQUALS})[^\s\"'<>&,;)}}\]\\]+", re.I)
# As a parser of queries would show it; words stay, since "signature: expired" is an explanation.
_MEMBER = re.compile(r"(signature\\?[\"']?\s*:\s*(?:\[\s*)?\\?[\"']?)(?=[a-z_+/=.,-]*[0-9])[\w+/=%.,-]{16,}", re.I)
_LEAST = 6  # shorter parts of a URL are found everywhere, and are no capabilities
_URL = re.compile(r"(?i)\bhttps?://[^\s\"'<>]+")
_USER = re.compile(r"(?i)\b([a-z+]{2,12}://)[^\s/:]*:[^\s/]*@")  # scheme://user:password@
_KEY = re.compile(r"\bwhsec_[A-Za-z0-9+/=]+")


def hide_resume_urls(text: str) -> str:
    """The text with the targets of resume URLs, and every value of a `signature`, as "…"."""
    folded = text.lower()
    if "waiting" not in folded and "signature" not in folded:
        return text  # nearly every value of every log line
    text = _RESUME.sub(rf"\1/{HIDDEN}", text)
    text = _SIGNATURE.sub(rf"\1{HIDDEN}", text)
    return _MEMBER.sub(rf"\1{HIDDEN}", text)


def hide_asked(text: str, url: str) -> str:
    """The text without what `url` would give away, however it is quoted there: the URL, its target, its parts."""
    if url in text:
        text = text.replace(url, redact(url))
    return hide_parts(text, _opaque_parts(url))


def hide_parts(text: str, parts: Iterable[str]) -> str:
    """The text without these parts, in whatever case they stand there."""
    folded = _folded(text)
    spans: list[tuple[int, int]] = []
    for part in {_folded(part) for part in parts}:  # one by one: a pattern of hundreds of alternatives is slow
        at = folded.find(part)
        while at >= 0:
            spans.append((at, at + len(part)))
            at = folded.find(part, at + len(part))
    kept: list[str] = []
    end = 0
    for start, stop in sorted(spans):
        if start >= end:
            kept += text[end:start], HIDDEN
        end = max(end, stop)
    return "".join(kept) + text[end:]


def _folded(text: str) -> str:
    """The text in lower case, letter for letter: "İ" alone would become two."""
    return text.replace("İ", "i").lower()


def _opaque_parts(url: str) -> Iterator[str]:
    """Path segments, query names and values that are no plain words, as they stand and as they are decoded."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    for part in re.split(r"[/?&=#;]", f"{parts.path}?{parts.query}#{parts.fragment}"):
        for form in (part, unquote(part)):
            if len(form) >= _LEAST and not is_plain_word(form) and " " not in form:
                yield form


def hide(text: str) -> str:
    """The text with what may be a capability taken out: userinfo, resume URLs and queries, signing secrets."""
    if "://" in text:
        text = _USER.sub(rf"\1{HIDDEN}@", text)
        text = _URL.sub(lambda found: redact(found.group()), text)
    text = hide_resume_urls(text)
    return _KEY.sub(HIDDEN, text) if "whsec_" in text else text
