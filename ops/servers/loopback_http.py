"""What the HTTP doubles stand on: a threaded HTTP/1.1 server on loopback, and calls that ignore proxies."""

import http.server
import json
import socket
import struct
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests


def call(method: str, url: str, **options: Any) -> requests.Response:
    """One request to a server of ours: no proxy from the environment, no connection kept for later."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, **{"timeout": 30, **options})


def told(method: str, url: str, **options: Any) -> Any:
    """What such a request is answered in JSON, None when that is empty; HTTPError unless it is a 2xx."""
    answer = call(method, url, **options)
    answer.raise_for_status()
    return answer.json() if answer.content else None


class Unanswered(Exception):
    """Raised to end an exchange without (the rest of) an answer; the connection is closed."""


class LoopbackServer(http.server.ThreadingHTTPServer):
    """Serves on 127.0.0.1 until the process ends."""

    daemon_threads = True
    allow_reuse_address = True  # a restart takes the same port at once
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed while they talk to us are what we are for: no stack trace for them."""


class Waiting:
    """Time that passes in exchanges, and ends early for all that wait when the rules are cleared."""

    def __init__(self) -> None:
        self.changed = threading.Condition()  # guards the rules, too
        self._cleared = 0

    def wait(self, seconds: float) -> None:
        """Let time pass, or less when the rules are cleared."""
        with self.changed:
            seen = self._cleared
            self.changed.wait_for(lambda: self._cleared != seen, seconds)

    def let_go(self) -> None:
        """End what waits; `changed` is held."""
        self._cleared += 1
        self.changed.notify_all()


class Exchange(http.server.BaseHTTPRequestHandler):
    """One connection: reads requests and calls `respond(method)` for each."""

    protocol_version = "HTTP/1.1"
    timeout = 120  # seconds a silent connection may stay
    disable_nagle_algorithm = True

    def respond(self, method: str) -> None:
        raise Unanswered

    def do_GET(self) -> None:
        try:
            self.respond(self.command)
        except (Unanswered, OSError):
            self.close_connection = True

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    @property
    def route(self) -> str:
        return urlsplit(self.path).path

    @property
    def query(self) -> dict[str, str]:
        return {key: values[-1] for key, values in parse_qs(urlsplit(self.path).query).items()}

    def body(self) -> bytes:
        """The whole request body; shorter than announced when the client went away."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Send one complete answer in one write: two would wait for each other's acknowledgement."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers_with(body)

    def answer_json(self, status: int, content: object) -> None:
        self.answer(status, json.dumps(content).encode(), {"Content-Type": "application/json; charset=UTF-8"})

    def end_headers_with(self, body: bytes) -> None:
        self._headers_buffer: list[bytes]
        self._headers_buffer.append(b"\r\n" + body)
        self.flush_headers()

    def reset(self) -> None:
        """Cut the connection with RST instead of an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        raise Unanswered

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was asked is kept on disk."""


def serve(port: int, exchange: type[Exchange]) -> None:
    """Serve until the process is ended."""
    server = LoopbackServer(("127.0.0.1", port), exchange)
    threading.current_thread().name = "accept"
    server.serve_forever()
