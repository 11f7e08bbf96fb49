"""Callback URLs as text: which URL is told of a failure, what may be shown of it, and which URLs are refused at once.

Nothing here touches the network. A URL is never rebuilt from its parts: n8n's resume URLs are capabilities
whose signature covers the exact bytes (DESIGN §3).
"""

import hashlib
import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ssrfguard import BlockedAddressError, BlockedURLError

from schema.callbacks.allow_list import AllowList, is_metadata, resolver_name
from schema.environment.server_urls import bracketed, origin
from schema.errors import Refused

MAX_BYTES = 2048
MAX_HOST_BYTES = 240
_KEY_HOST = 190  # characters of a host that stand in its key as they are: the key's columns hold 255
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PATH = re.compile(r"^[a-z][a-z0-9+.-]*://[^/?#]*([^?#]*)", re.I)
_COMPLETE = re.compile(r"/pdf-complete(?![A-Za-z0-9])")
_WORD = re.compile(r"[a-z]+([-_][a-z]+)*")
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ud800-\udfff\\]")
# The URL Standard and libc read a host whose last label is a number (hex included) as an IPv4 address.
_LOOKS_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?", re.I)
HIDDEN = "…"
_PLAINLY = (
    "Write it as https://host/path or https://host:port/path, with a name or a plain address and a port up to 65535."
)
HOW_TO_ALLOW = "If it is meant, an operator lists the host or network with its port in REPORTQ_WEBHOOK_ALLOW."


def failure_url(callback: str, failure_callback: str | None) -> str:
    """The URL that is told of failed and cancelled jobs: `failure_callback`, or else the callback.

    `/pdf-complete` in the callback's path becomes `/pdf-failed`; resume URLs and queries are never rewritten.
    """
    if failure_callback:
        return failure_callback
    found = _PATH.match(callback)
    if found is None or is_resume_url(callback):
        return callback
    return callback[: found.start(1)] + _COMPLETE.sub("/pdf-failed", found[1]) + callback[found.end(1) :]


def is_resume_url(url: str) -> bool:
    """Whether the URL resumes one waiting n8n execution: a `/webhook-waiting/` anywhere in its path."""
    found = _PATH.match(url)
    return found is not None and "/webhook-waiting/" in unquote(found[1]).lower()


def redact(url: str) -> str:
    """What may be shown of a callback URL: scheme, host, port and the shape of its path.

    Plain lower-case words of the path stay: they tell a builder which workflow is meant. All that may be a capability
    becomes "…": ids, tokens, everything under `/webhook-waiting/`, query values, userinfo.
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
    shown += bracketed(host)
    if port is not None:
        shown += f":{port}"
    shown += _path_shape(parts.path)
    if parts.query:
        shown += "?" + "&".join(_argument_shape(argument) for argument in parts.query.split("&"))
    return shown + (f"#{HIDDEN}" if parts.fragment else "")


def host_key(url: str) -> str:
    """`host:port` in lower case, at most 200 characters: the key by which hosts share workers and are paused.

    A longer host, from before such hosts were refused, is cut and ends in its hash. Never raises; an unreadable URL has
    the key "-".
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
    return f"{bracketed(host)}:{port}"


def path_key(url: str) -> str:
    """The URL's path as 16 hexadecimal digits, its query left out: tells whether two callbacks go to the same place."""
    path = url.partition("://")[2].partition("#")[0].partition("?")[0].partition("/")[2]
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def lane_key(url: str) -> str:
    """The key of one path of a host, `host:port#path`: a path that is paused alone waits under it."""
    return f"{host_key(url)}#{path_key(url)}"


def host_of(key: str) -> str:
    """The host's key of a host or of a lane."""
    return key.partition("#")[0]


def check_literal(url: str, allow: AllowList, *, field: str = "callback") -> None:
    """Refuse a URL that is wrong whatever DNS says. Raises Refused(code="callback_refused").

    The connection checks names again, with the addresses they resolve to (actors/deliver/sender.py).
    """
    fault = _fault(url, allow)
    if fault is not None:
        raise Refused(fault.detail, code="callback_refused", field=field, next_step=fault.next_step)


class _Fault(NamedTuple):
    """Why a URL is refused, and what corrects it. Neither quotes more of the URL than its host."""

    detail: str
    next_step: str


def _fault(url: str, allow: AllowList) -> _Fault | None:
    """None when the URL is fine."""
    if not url or len(url.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return _Fault(
            f"A callback URL has between 1 and {MAX_BYTES} bytes.", "Use a shorter URL, or leave the field out."
        )
    if _UNSAFE.search(url):
        return _Fault(
            "A callback URL holds no spaces, control characters or backslashes: write them percent-encoded.",
            "Look for a space or line break, often at the URL's end; one that belongs there is written %20.",
        )
    try:
        parts = urlsplit(url)
        port = parts.port
        host = resolver_name(parts.hostname or "")
    except ValueError:
        return _Fault("The callback URL cannot be read: its host or port is malformed.", _PLAINLY)
    if parts.scheme not in _DEFAULT_PORTS or not url.lower().startswith(f"{parts.scheme}://"):
        return _Fault(
            "A callback URL starts with http:// or https://.",
            "Use the whole URL of your Webhook or Wait node: it begins with http:// or https://.",
        )
    if "@" in parts.netloc:
        return _Fault(
            "A callback URL carries no user name or password before its host.",
            "Leave out what stands before the @; to be sure who calls, verify the header webhook-signature.",
        )
    if not host:
        return _Fault("The callback URL names no host.", _PLAINLY)
    if len(host) > MAX_HOST_BYTES:
        return _Fault(f"The callback's host has more than {MAX_HOST_BYTES} bytes.", "Use a host with a shorter name.")
    port = _DEFAULT_PORTS[parts.scheme] if port is None else port
    if port == 0:
        return _Fault("Callbacks do not go to port 0.", _PLAINLY)
    if not allow.port_is_open(host, port):
        return _Fault(
            f"Callbacks do not go to port {port}. {HOW_TO_ALLOW}",
            f"Use port 80, 443 or one above 1023, or have an operator add {bracketed(host)}:{port} to REPORTQ_WEBHOOK_ALLOW.",
        )
    return _host_fault(host, port, allow)


@lru_cache(maxsize=1024)  # callbacks differ in their paths; their hosts are few
def _host_fault(host: str, port: int, allow: AllowList) -> _Fault | None:
    """What is wrong with a literal address, or with a name that stands for one."""
    policy = allow.policy_for(host, port)
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        if not policy.permits_address("127.0.0.1"):
            return _Fault(
                f"Callbacks do not go to {name}: it is this machine itself. {HOW_TO_ALLOW}",
                f"If the receiver runs on the machine of reportq, have an operator add 127.0.0.1:{port} to "
                "REPORTQ_WEBHOOK_ALLOW; else use the receiver's own host name.",
            )
        return None
    try:
        target = policy.check_url(origin(host, port) + "/")
    except BlockedURLError as blocked:
        if isinstance(blocked.__cause__, BlockedAddressError):
            return _Fault(
                f"Callbacks do not go to {host}: the address is private, local or reserved. {HOW_TO_ALLOW}",
                _instead_of(host, port),
            )
        if "_" in host:
            return _Fault(
                f"A host whose name holds an underscore is only called when it is listed by its name. {HOW_TO_ALLOW}",
                f"Use a name without an underscore, or have an operator add {bracketed(host)}:{port} to REPORTQ_WEBHOOK_ALLOW.",
            )
        return _Fault(
            "The callback's host is neither a name nor an address in its plain form (like 203.0.113.7).", _PLAINLY
        )
    if target.address is None and _LOOKS_NUMERIC.fullmatch(host):
        return _Fault("The callback's host is a number in disguise: write an address in its plain form.", _PLAINLY)
    return None


def _instead_of(host: str, port: int) -> str:
    """What to do about a literal address that is not called. Nobody is advised to list a metadata service."""
    address = ipaddress.ip_address(host)
    if address.is_link_local or address.is_multicast or address.is_unspecified or is_metadata(address):
        return "Use the receiver's own host name or address."
    return f"Use a public host, or have an operator add {bracketed(host)}:{port} to REPORTQ_WEBHOOK_ALLOW."


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
