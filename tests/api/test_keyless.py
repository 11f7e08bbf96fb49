"""Without keys the description says so, and every answer is still a described one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from tests.api.conftest import Api
from tests.api.described import every_answer_is_described


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection: a long poll must not hold up the others."""

    daemon_threads = True


class _Silent(WSGIRequestHandler):
    """Says nothing of each request, and names no media type that the caller has not named."""

    def get_environ(self) -> Any:
        environ = super().get_environ()
        if self.headers.get("Content-Type") is None:
            del environ["CONTENT_TYPE"]
        return environ

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def url(api_of: Callable[..., Api]) -> Iterator[str]:
    """The application on a port of loopback; nobody works behind it, so no generated callback is ever sent."""
    with make_server("127.0.0.1", 0, api_of(longest_wait=0.1).client.app, _Server, _Silent) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.timeout(300)
def test_every_answer_without_keys_is_a_described_one(url: str, tmp_path: Path) -> None:
    phases = ("--phases", "examples,coverage,fuzzing", "--max-examples", "5")
    every_answer_is_described(url, tmp_path, "--url", url, *phases, timeout=280)
