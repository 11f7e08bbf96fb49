"""Without keys the description says so, and every answer is still a described one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from ops.stack import ROOT
from schema.http import operations
from tests.api.conftest import Api

HERE = Path(__file__).parent


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
    with make_server("127.0.0.1", 0, api_of(longest_wait=1).client.app, _Server, _Silent) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.timeout(300)
def test_every_answer_without_keys_is_a_described_one(url: str, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run",
        f"{url}/openapi.json", "--url", url, "--checks", "all", "--max-examples", "5", "--seed", "7",
        "--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all", "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.api.formats", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    found = re.search(r"Selected: (\d+)/(\d+)", done.stdout)
    assert found is not None, done.stdout[-2000:]
    assert int(found[1]) == int(found[2]) == len(operations.OPERATIONS) - 1, done.stdout[-4000:]
