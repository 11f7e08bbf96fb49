"""The parts of a URL, taken apart strictly: what is malformed is refused with a sentence that quotes no password."""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import unquote

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")


class UrlFault(ValueError):
    """A URL that cannot be used: what was read (never a secret), and what is allowed."""

    def __init__(self, read: str, allowed: str) -> None:
        super().__init__(f"read {read}; allowed: {allowed}.")
        self.read = read
        self.allowed = allowed


def pieces(url: str, *, commas: bool = False) -> tuple[str | None, str, str | None, str]:
    """User info, address (with `commas`: addresses), path and query as they stand; user info and path None where absent."""
    scheme, found, rest = url.partition("://")
    if not found:
        raise UrlFault("a URL without //", f"{scheme.partition(':')[0]}://…")
    if _CONTROL.search(url) or " " in url:
        raise UrlFault("a URL with a space or line break in it", "it without; one that belongs there is written %20")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    tail = rest[len(authority) :]
    if "@" in tail:
        raise UrlFault(
            "a URL with an @ behind its host", "/ ? # and @ of user, password and path written %2F %3F %23 %40"
        )
    if "#" in tail:
        raise UrlFault("a URL with a # in it", "# written %23")
    userinfo, at, address = authority.rpartition("@")
    if "," in address and not commas:
        raise UrlFault("several hosts", "one host")
    path, _, query = tail.partition("?")
    return userinfo if at else None, address, path[1:] if path else None, query


def address_of(text: str) -> tuple[str, int]:
    """Host and port; port 0 where none is given."""
    malformed = UrlFault(
        "a malformed host or port", "host, host:port, or [IPv6 address]:port; / : @ of a password percent-encoded"
    )
    found = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", text)
    if found is None or (found[2] is not None and not 0 < int(found[2]) < 65536):
        raise malformed
    host = decoded(found[1].strip("[]"))
    if found[1].startswith("["):
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise malformed from None
    return host, int(found[2] or 0)


def pairs(query: str, *, raw: bool = False) -> dict[str, str]:
    """The parameters, each once; with `raw` their values stay percent-encoded."""
    found: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name in found and name.lower() != "readpreferencetags":
            raise UrlFault(f"the parameter {named(name)} twice", "it once")
        found[name] = value if raw else decoded(value)
    return found


def only(said: Mapping[str, str], known: tuple[str, ...]) -> None:
    """Refuse a parameter that is not known."""
    for name in said:
        if name not in known:
            raise UrlFault(f"the parameter {named(name)}", ", ".join(known))


def named(name: str) -> str:
    """A parameter's name for a sentence; what is no plain word may be a part of a password."""
    return name if _WORD.fullmatch(name) else "…"


def path_of(text: str) -> str:
    """The path of a file, decoded."""
    if "?" in text or "#" in text:
        raise UrlFault("a ? or # in the path", "them written %3F and %23")
    if _CONTROL.search(text):
        raise UrlFault("a line break in the path", "it without")
    return decoded(text)


def decoded(text: str) -> str:
    """The text that percent-encoding stands for."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise UrlFault("percent-encoding that is not UTF-8", "characters beyond ASCII encoded as UTF-8") from None
