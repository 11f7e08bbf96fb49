"""gunicorn with our worker: callers who keep their connection, in one process with one thread, where staying can hurt."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.servers.process import Server, free_port, listening, wait_until
from ops.stack import ROOT


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answers with the path and what was sent; what goes to /unread is not looked at."""
    if environ["PATH_INFO"] == "/unread":
        start_response("413 Content Too Large", [("Content-Length", "0")])
        return []
    body = f"{environ['PATH_INFO']} {environ['wsgi.input'].read().decode()}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class Web(Server):
    """The application above under gunicorn."""

    name = "web"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()

    def command(self) -> list[str]:
        bound = ["--bind", f"127.0.0.1:{self.port}", "--threads", "1", "--keep-alive", "1", "--no-control-socket"]
        module = f"{__name__}:app"
        return [sys.executable, "-m", "gunicorn", "-k", "service.web_worker.WebWorker", *bound, module]

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}

    def answers(self) -> bool:
        return listening(self.port)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with Web(tmp_path_factory.mktemp("web")) as server:
        yield server


def connection(web: Web) -> contextlib.closing[http.client.HTTPConnection]:
    made = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    made.connect()
    return contextlib.closing(made)


def asked(kept: http.client.HTTPConnection, path: str, body: str = "") -> str:
    kept.request("POST", path, body)
    return kept.getresponse().read().decode()


class Restless:
    """A caller who asks again as soon as it was answered, on one connection; a new one where it is told to close."""

    def __init__(self, web: Web) -> None:
        self.answers = 0
        self.failed: list[Exception] = []
        self._web = web
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        wait_until(lambda: self.answers > 20, 30, "the caller is at it")

    def _ask(self) -> None:
        with connection(self._web) as kept:
            while not self._stop.is_set() and not self.failed:
                try:
                    assert asked(kept, "/again", "x" * 50) == "/again " + "x" * 50
                    self.answers += 1
                except Exception as error:
                    self.failed.append(error)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self.failed


def test_who_never_pauses_keeps_nobody_out(web: Web) -> None:
    restless = Restless(web)
    with connection(web) as kept:
        for number in range(20):
            assert asked(kept, f"/{number}") == f"/{number} "
            with connection(web) as new:
                assert asked(new, "/new") == "/new "

    restless.stop()


def test_requests_that_come_at_once_are_answered_in_their_order(web: Web) -> None:
    lines = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc" % number for number in range(3)
    )
    last = b"GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", web.port), timeout=30) as kept:
        kept.sendall(lines + last)
        with kept.makefile("rb") as stream:
            text = stream.read().decode()

    places = [text.index(wanted) for wanted in ("/0 abc", "/1 abc", "/2 abc", "/last ")]
    assert places == sorted(places)


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 70_000, 2_000_000, 9_000_000])
def test_a_body_that_is_left_unread_costs_its_sender_neither_answer_nor_connection(
    web: Web, size: int, chunked: bool
) -> None:
    with connection(web) as kept:
        sent = iter([b"x" * size]) if chunked and size else b"x" * size
        kept.request("POST", "/unread", sent, encode_chunked=chunked)
        answer = kept.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Connection"]) == (413, "keep-alive")
        assert asked(kept, "/again") == "/again "


def test_a_body_without_end_is_answered_and_told_that_the_connection_closes(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=30) as endless:
        endless.sendall(b"POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000000\r\n\r\n")
        for _ in range(256):
            endless.sendall(b"x" * 65_536)
        with endless.makefile("rb") as stream:
            text = stream.read().decode()

    assert text.startswith("HTTP/1.1 413 ")
    assert "Connection: close\r\n" in text


def test_who_falls_silent_or_leaves_costs_no_thread(web: Web) -> None:
    with connection(web) as silent, connection(web) as other:
        assert asked(silent, "/silent") == "/silent "
        with connection(web) as gone:
            assert asked(gone, "/gone") == "/gone "

        assert asked(other, "/other") == "/other "
        assert silent.sock.recv(1) == b""  # closed by the server after --keep-alive


def test_a_reload_loses_no_request_of_a_kept_connection(web: Web) -> None:
    restless = Restless(web)
    assert web.pid is not None

    for _ in range(3):
        before = restless.answers
        os.kill(web.pid, signal.SIGHUP)
        wait_until(lambda before=before: restless.answers > before + 300 or bool(restless.failed), 60, "reloaded")

    restless.stop()
