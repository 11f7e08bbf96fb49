"""What is kept of a receiver's answer: the head of its body, readable, without its stack traces, file paths and
the capabilities that it repeats.
"""

from __future__ import annotations

import json
import re

from schema.redaction import hide_asked, hide_resume_urls

MAX_CHARACTERS = 2000
_TRACE_KEYS = frozenset({"stack", "stacktrace", "trace", "traceback"})
_TRACE_LINE = re.compile(
    r"(?:^|\s)(?:at\s(?:[^\s()]{1,200}[\s()]+){0,8}?[^\s()]*:\d+:\d+\)?|File \"[^\"]*\", line \d+(?:, in \S+)?)"
)
_FILE_PATH = re.compile(r"(?:file://)?(?:[A-Za-z]:\\|/)(?:[\w@.+-]+[/\\]){2,}[\w@.+-]+(?::\d+)*")
# C0, C1, direction overrides and separators: nothing that could draw over a terminal or a console's line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")


def head(body: bytes, asked: str | None = None) -> str:
    """At most 2,000 characters of the body as text, without what it repeats of `asked`, the URL that was posted to."""
    text = body.decode("utf-8", "replace")
    text = _without_trace_keys(text)
    if asked is not None:
        text = hide_asked(text, asked)
    text = hide_resume_urls(text)  # before anything below can cut one in two
    text = _TRACE_LINE.sub(" …", text)
    text = _FILE_PATH.sub("…", text)
    return _CONTROL.sub(" ", text).strip()[:MAX_CHARACTERS]


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
