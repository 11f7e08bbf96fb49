"""A DNS server on loopback that answers from a script: what a rebinding attacker runs."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
from collections.abc import Callable

_A, _AAAA = 1, 28


class DnsServer:
    """`answers(name, n)` gives the addresses for the n-th lookup of a name (n from 1, per record type)."""

    def __init__(self, answers: Callable[[str, int], list[str]]) -> None:
        self._answers = answers
        self.lookups: dict[tuple[str, int], int] = {}

    def __enter__(self) -> DnsServer:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                query, sender = self._socket.recvfrom(4096)
                self._socket.sendto(self._reply(query), sender)

    def _reply(self, query: bytes) -> bytes:
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12 : at + 5]
        kind = struct.unpack("!H", query[at + 1 : at + 3])[0]
        name = ".".join(labels).lower()
        self.lookups[name, kind] = self.lookups.get((name, kind), 0) + 1
        addresses = [ipaddress.ip_address(text) for text in self._answers(name, self.lookups[name, kind])]
        packed = [one.packed for one in addresses if (one.version == 6) == (kind == _AAAA)]
        records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(address)) + address for address in packed)
        return query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(packed), 0, 0) + question + records
