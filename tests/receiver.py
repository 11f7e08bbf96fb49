"""A receiver of callbacks on loopback: real sockets, scripted answers, every request kept."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Received:
    """One request as it stood on the wire."""

    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers each request with what `answer(request)` returns; None closes the connection without an answer.

    A callable result is given the connection and writes to it itself.
    """

    answer: Callable[[Received], bytes | Callable[[socket.socket], None] | None] = lambda request: OK
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    requests: list[Received] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Receiver:
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # an accept() under way would keep the port open
        self._listener.close()
        self.hang_up()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def hang_up(self) -> None:
        """Close every connection that is open."""
        for line in list(self._open):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as closing:
            closing.callback(line.close)
            if self.tls:
                line = self.tls.wrap_socket(line, server_side=True)
                closing.callback(line.close)
            self._open.add(line)
            with line.makefile("rb") as lines:
                while request := _read(lines):
                    self.requests.append(request)
                    answer = self.answer(request)
                    if answer is None:
                        break
                    if callable(answer):
                        answer(line)
                        break
                    line.sendall(answer)
        self._open.discard(line)


def _read(lines: object) -> Received | None:
    readline, read = lines.readline, lines.read  # type: ignore[attr-defined]
    first = readline().decode("latin-1").split(" ")
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while (line := readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Received(first[1], headers, read(int(headers.get("content-length", "0"))))
