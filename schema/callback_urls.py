"""Callback URLs as text: which one is told of a failure, what may be shown of one, which are refused unseen.

Nothing here touches the network. A URL is never rebuilt from its parts: n8n's resume URLs are capabilities
whose signature covers the exact bytes (DESIGN §3).
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from ssrfguard import BlockedAddressError, BlockedURLError

from schema.allow_list import AllowList, resolver_name
from schema.errors import Refused

MAX_BYTES = 2048
MAX_HOST_BYTES = 240
_KEY_HOST = 190  # characters of a host that stand in its key as they are: the key's columns hold 255
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PATH = re.compile(r"^[a-z][a-z0-9+.-]*://[^/?#]*([^?#]*)", re.I)
_COMPLETE = re.compile(r"/pdf-complete(?![A-Za-z0-9])")
_WORD = re.compile(r"[a-z]+([-_][a-z]+)*")
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ud800-\udfff\\]")
# The URL Standard reads a host whose last label is a number (hex included) as an IPv4 address, and so does
# libc.
_LOOKS_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?", re.I)
HIDDEN = "…"
HOW_TO_ALLOW = "If it is meant, an operator lists the host or network with its port in REPORTQ_WEBHOOK_ALLOW."


def failure_url(callback: str, failure_callback: str | None) -> str:
    """Where failed and cancelled jobs are told: `failure_callback`, else the callback with `/pdf-complete` in
    its path replaced by `/pdf-failed`, else the callback itself. Resume URLs and queries are never rewritten.
    """
    if failure_callback:
        return failure_callback
    found = _PATH.match(callback)
    if found is None or is_resume_url(callback):
        return callback
    return callback[: found.start(1)] + _COMPLETE.sub("/pdf-failed", found[1]) + callback[found.end(1) :]


def is_resume_url(url: str) -> bool:
    """Whether the URL resumes one waiting n8n execution (a `/webhook-waiting/` path, wherever n8n is
    mounted).
    """
    found = _PATH.match(url)
    return found is not None and "/webhook-waiting/" in unquote(found[1]).lower()


def redact(url: str) -> str:
    """What may be shown of a callback URL: scheme, host, port and the shape of its path.

    Plain lower-case words of the path stay, since they tell a builder which workflow is meant; whatever could
    be a capability (ids, tokens, everything under `/webhook-waiting/`, query values, userinfo) becomes "…".
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return HIDDEN
    if not host or parts.scheme not in _DEFAULT_PORTS:
        return HIDDEN
    shown = f"{parts.scheme}://"
    if "@" in parts.netloc:
        shown += f"{HIDDEN}@"
    shown += f"[{host}]" if ":" in host else host
    if port is not None:
        shown += f":{port}"
    shown += _path_shape(parts.path)
    if parts.query:
        shown += "?" + "&".join(_argument_shape(argument) for argument in parts.query.split("&"))
    return shown + (f"#{HIDDEN}" if parts.fragment else "")


def host_key(url: str) -> str:
    """`host:port` in lower case, at most 200 characters: whom fairness and pauses speak of.

    A longer host (stored before such were refused) is cut and ends in its hash. Never raises; an unreadable
    URL has the key "-".
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        host = resolver_name(parts.hostname or "").rstrip(".")
    except ValueError:
        return "-"
    if not host:
        return "-"
    if len(host) > _KEY_HOST:
        digest = hashlib.sha256(host.encode()).hexdigest()[:32]
        host = f"{host[: _KEY_HOST - len(digest) - 1]}~{digest}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_literal(url: str, allow: AllowList, *, field: str = "callback") -> None:
    """Refuse what can be seen to be wrong without asking DNS. Raises Refused(code="callback_refused").

    Names are checked again, with the addresses they resolve to, when the connection is made
    (actors/sender.py).
    """
    fault = _fault(url, allow)
    if fault is not None:
        raise Refused(fault, code="callback_refused", field=field)


def _fault(url: str, allow: AllowList) -> str | None:
    """A sentence that says why the URL is refused, without quoting more of it than its host; None when it is
    fine.
    """
    if not url or len(url.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return f"A callback URL has between 1 and {MAX_BYTES} bytes."
    if _UNSAFE.search(url):
        return "A callback URL holds no spaces, control characters or backslashes: write them percent-encoded."
    try:
        parts = urlsplit(url)
        port = parts.port
        host = resolver_name(parts.hostname or "")
    except ValueError:
        return "The callback URL cannot be read: its host or port is malformed."
    if parts.scheme not in _DEFAULT_PORTS or not url.lower().startswith(f"{parts.scheme}://"):
        return "A callback URL starts with http:// or https://."
    if "@" in parts.netloc:
        return "A callback URL carries no user name or password before its host."
    if not host:
        return "The callback URL names no host."
    if len(host) > MAX_HOST_BYTES:
        return f"The callback's host has more than {MAX_HOST_BYTES} bytes."
    port = _DEFAULT_PORTS[parts.scheme] if port is None else port
    if port == 0 or not allow.port_is_open(host, port):
        return f"Callbacks do not go to port {port}. {HOW_TO_ALLOW}"
    return _host_fault(host, port, allow)


@lru_cache(maxsize=1024)  # callbacks differ in their paths; their hosts are few
def _host_fault(host: str, port: int, allow: AllowList) -> str | None:
    """What is wrong with a literal address, or with a name that is one in disguise."""
    policy = allow.policy_for(host, port)
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        if not policy.permits_address("127.0.0.1"):
            return f"Callbacks do not go to {name}: it is this machine itself. {HOW_TO_ALLOW}"
        return None
    try:
        target = policy.check_url(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
    except BlockedURLError as blocked:
        if isinstance(blocked.__cause__, BlockedAddressError):
            return f"Callbacks do not go to {host}: the address is private, local or reserved. {HOW_TO_ALLOW}"
        return "The callback's host is neither a name nor an address in its plain form (like 203.0.113.7)."
    if target.address is None and _LOOKS_NUMERIC.fullmatch(host):
        return "The callback's host is a number in disguise: write an address in its plain form."
    return None


def is_plain_word(part: str) -> bool:
    """Whether a part of a URL says something to people and is too plain to be a capability."""
    return len(part) <= 24 and _WORD.fullmatch(part) is not None


def _path_shape(path: str) -> str:
    shown: list[str] = []
    hidden_below = False
    for segment in path.split("/"):
        shown.append(segment if not segment or (is_plain_word(segment) and not hidden_below) else HIDDEN)
        hidden_below = hidden_below or unquote(segment).lower() == "webhook-waiting"
    return "/".join(shown)


def _argument_shape(argument: str) -> str:
    name, equals, _ = argument.partition("=")
    return f"{name}={HIDDEN}" if equals and is_plain_word(name) else HIDDEN
