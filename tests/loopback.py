"""A guard below the HTTP stack: inside it, nothing but loopback may be connected, sent to or looked up.

Python's own audit events are used, which the interpreter raises before the system call: what is refused here
has sent no packet. Whatever was refused also fails the test at its end, in case the code under test swallowed
it.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_strays: list[str] | None = None  # None: the guard is off


class LeftTheMachine(BaseException):
    """Not an Exception on purpose: no handler of the code under test shall take it for a network error."""


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _strays is None:
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        if not isinstance(address, tuple) or _is_loopback(str(address[0])):
            return
        stray = f"{event} {address[0]}:{address[1]}"
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0].decode() if isinstance(args[0], bytes) else args[0]
        if host is None or _is_loopback(host) or host in ("", "localhost"):
            return
        stray = f"{event} {host}"
    else:
        return
    _strays.append(stray)
    raise LeftTheMachine(stray)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


sys.addaudithook(_hook)


@contextmanager
def only_loopback() -> Iterator[list[str]]:
    """Refuse every other destination; the list holds what was tried."""
    global _strays
    before, _strays = _strays, []
    try:
        yield _strays
    finally:
        _strays = before


@pytest.fixture
def loopback_only() -> Iterator[None]:
    """Fails the test that was about to send something off this machine."""
    with only_loopback() as strays:
        yield
        assert strays == [], f"about to leave the machine: {strays}"
