"""Reads an HTTP answer within bounds, skips its interim answers, and leaves nothing for the next exchange.

http.client alone skips any number of "100 Continue", and takes a 103 for the final answer. It also forgets what its
buffer still holds after an answer's end.
"""

import io
import socket
from http.client import HTTPResponse, LineTooLong, parse_headers
from typing import Any

MAX_INTERIM = 16  # Answers before the final one.
MAX_HEAD = 64 * 1024  # Bytes of all heads, those of interim answers included.
MAX_REST = 1024 * 1024  # Bytes of a body, with the framing of its chunks.


class _Wire(io.RawIOBase):
    """The bytes of one answer as they come in, at most `limit` of them, and none after its end."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._count = 0
        self.limit = MAX_HEAD
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.ended:
            return None  # looking into the buffer must not read from the other side
        count = self._raw.readinto(buffer)
        self._count += count or 0
        if self._count > self.limit:
            raise LineTooLong("headers or body")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class BoundedAnswer(HTTPResponse):
    """The final answer. `left_over` tells that bytes followed its end: its connection must not be used again."""

    left_over = False

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._wire = _Wire(self.fp.detach())
        self.fp = io.BufferedReader(self._wire)

    def begin(self) -> None:
        super().begin()
        self._wire.limit += MAX_REST
        self.will_close = self.will_close or not self._has_a_plain_end()

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MAX_INTERIM + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == 101:  # after a 101 the other side no longer speaks HTTP
                return version, status, reason
            parse_headers(self.fp)
        raise LineTooLong("interim headers")

    def _has_a_plain_end(self) -> bool:
        """Whether both sides agree where the answer ends."""
        lengths = self.headers.get_all("content-length", [])
        codings = self.headers.get_all("transfer-encoding", [])
        if self.status in (101, 204, 304):
            return self.status != 101 and not codings and set(lengths) <= {"0"}
        if codings:
            return not lengths and [coding.lower() for coding in codings] == ["chunked"]
        return len(set(lengths)) == 1 and lengths[0].isdecimal()

    def _close_conn(self) -> None:
        self._wire.ended = True
        self.left_over = not self.fp.closed and bool(self.fp.peek(1))
        super()._close_conn()  # type: ignore[misc]
