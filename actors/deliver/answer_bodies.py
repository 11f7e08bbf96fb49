"""What is kept of a receiver's answer: a readable head of its body, without stack traces, file paths and secret URLs."""

import json
import re
import zlib
from collections.abc import Set

from schema.callbacks.redaction import hide_asked, hide_parts, hide_resume_urls

MAX_CHARACTERS = 2000
MAX_BYTES = 64 * 1024  # of a body, both as it comes and decoded
_MOST_CODINGS = 3
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.-]+)", re.I)
# The charsets accepted beside UTF-8. Python's other codecs are not for text, or do not take linear time.
_CHARSETS = re.compile(
    r"utf-?(?:16|32)(?:-?[bl]e)?|(?:iso-?8859|windows|koi8|euc)-\w+|latin-?1|gb\w+|big5|shift_jis", re.I
)
_TRACE_KEYS = frozenset({"stack", "stacktrace", "trace", "traceback"})
_TRACE_LINE = re.compile(
    r"(?:^|\s)(?:at\s(?:[^\s()]{1,200}[\s()]+){0,8}?[^\s()]*:\d+:\d+\)?|File \"[^\"]*\", line \d+(?:, in \S+)?)"
)
_UNSEEN = re.compile(r"<(script|style|svg)\b.*?(?:</\1\s{0,9}>|\Z)|<!--.*?(?:-->|\Z)", re.I | re.S)
_FILE_PATH = re.compile(r"(?:file://)?(?:[A-Za-z]:\\|/)(?:[\w@.+-]+[/\\]){2,}[\w@.+-]+(?::\d+)*")
# C0, C1, direction overrides and separators: they could overwrite lines of a terminal or the console.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")


def head(
    body: bytes, asked: str | None = None, hidden: Set[str] = frozenset(), *, encoding: str = "", content_type: str = ""
) -> str:
    """At most 2,000 characters of the body as text, without what is `hidden` and any part of `asked`, the posted URL.

    `encoding` and `content_type` are the answer's headers; a body that they describe wrongly is taken as it is. A page of
    HTML keeps its tags, and loses what a reader does not see.
    """
    text = _without_trace_keys(_text(_decoded(body, encoding), content_type))
    if asked is not None:
        text = hide_asked(text, asked)
    text = hide_parts(text, hidden)
    text = hide_resume_urls(text)  # first, because the steps below could cut one in two
    if text.lstrip().startswith("<"):
        text = _UNSEEN.sub(" ", text)
    text = _TRACE_LINE.sub(" …", text)
    text = _FILE_PATH.sub("…", text)
    return _CONTROL.sub(" ", text).strip()[:MAX_CHARACTERS]


def _decoded(body: bytes, encoding: str) -> bytes:
    """The body without its content codings (we asked for none), at most 64 KiB of it."""
    codings = [coding.strip().lower() for coding in encoding.split(",") if coding.strip()]
    if not codings and body.startswith(b"\x1f\x8b"):
        codings = ["gzip"]
    for coding in reversed(codings):
        if coding == "identity":
            continue
        if coding not in ("gzip", "x-gzip", "deflate") or len(codings) > _MOST_CODINGS:
            return f"(The body is encoded as {encoding[:40]}, which was not asked for.)".encode()
        body = _inflated(body, coding)
    return body


def _inflated(body: bytes, coding: str) -> bytes:
    for window in (47,) if "gzip" in coding else (47, -15):  # with a header, or as some send "deflate", without
        inflater = zlib.decompressobj(window)
        try:
            inflated = inflater.decompress(body, MAX_BYTES)
        except zlib.error:
            continue
        # Without a header, plain text may look like the beginning of such a stream.
        if window > 0 or inflater.eof or inflater.unconsumed_tail:
            return inflated
    return body


def _text(body: bytes, content_type: str) -> str:
    """The body as text: by its first bytes if they show UTF-16 or a mark, else by its charset, else as UTF-8."""
    codec: str = json.detect_encoding(body)
    zeros = body[:64].count(0)
    if codec.endswith(("le", "be")) and zeros * 4 < len(body[:64]):  # a single zero byte does not mean UTF-16
        codec = "utf-8"
    declared = _CHARSET.search(content_type)
    if codec == "utf-8" and declared and _CHARSETS.fullmatch(declared[1]):
        codec = declared[1]
    try:
        return body.decode(codec, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _without_trace_keys(text: str) -> str:
    """JSON objects lose the members that hold stack traces; other text stays as it is."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(answer, dict) or not any(key.lower() in _TRACE_KEYS for key in answer):
        return text
    kept = {key: value for key, value in answer.items() if key.lower() not in _TRACE_KEYS}
    return json.dumps(kept, ensure_ascii=False)
