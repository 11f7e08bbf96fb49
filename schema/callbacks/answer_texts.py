"""Whether the text of an answer is n8n's start-up page, or a page for people.

The text decides, not its type: a plain "OK" may have the same type, since PHP answers text/html by default.
"""

from __future__ import annotations

import re

_TITLE = re.compile(r"<title\b[^<>]*>[^<]*</title>", re.I)
_TAG = re.compile(r"<[^<>]*>")
_SHORT = 300  # characters: a workflow that tells of n8n's start-up says more
# "n8n is starting up. Please wait" (packages/cli/src/abstract-server.ts), alone, as a page's text or in an object.
_STARTING = re.compile(
    r"\W*(?:(?:n8n|code|status|message|error|\d+)\W+)*n8n is (?:\w+ )?(?:starting|booting|initiali[sz]ing|migrating)(?: up)?"
    r"(?=\s*(?:[^\w\s]|$|please\b))",
    re.I,
)
_DOCUMENT = re.compile(r"\s*(?:<\?xml[^<>]*>\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I)


def is_start_page(text: str) -> bool:
    """Whether n8n answers so while it migrates its database: no workflow has seen the request."""
    if "n8n" not in text.lower():
        return False
    shown = (" ".join(_TAG.sub(" ", one).split()) for one in (text, _TITLE.sub(" ", text)))
    return any(len(one) <= _SHORT and _STARTING.match(one) is not None for one in shown)


def is_page(text: str) -> bool:
    """Whether it is a whole document of HTML, not only a piece of it."""
    return _DOCUMENT.match(text) is not None
