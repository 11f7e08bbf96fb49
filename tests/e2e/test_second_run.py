"""`ops/run` where something is in its way: refused at once in one sentence, and a second one with its own folders runs."""

from __future__ import annotations

import contextlib
import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.demo import ROOT, Api
from ops.servers.process import Server, ServerFailed, free_port, listening, listens, wait_until

pytestmark = pytest.mark.timeout(180)


def folders(folder: Path) -> dict[str, str]:
    return {
        "REPORTQ_RUN_DIR": str(folder / "run"),
        "REPORTQ_DATABASE_URL": f"sqlite:///{folder}/reportq.db",
        "REPORTQ_ARTIFACTS_URL": f"file:{folder}/artifacts",
    }


def command(port: int, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "ops.demo", "--port", str(port), *arguments]


def run(port: int, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(port, *arguments), cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, timeout=120
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    return sentence


@contextlib.contextmanager
def running(port: int, folder: Path) -> Iterator[None]:
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command(port), cwd=ROOT, env={**os.environ, **folders(folder)}, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: "Callbacks are written to" in (folder / "output").read_text(), 60, "the first one")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@contextlib.contextmanager
def another_program() -> Iterator[int]:
    """One that answers every question with 200."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_port_that_another_program_has_is_refused_and_nothing_is_started(tmp_path: Path) -> None:
    with another_program() as port:
        sentence = refused(run(port, "--once", **folders(tmp_path)))
    assert f"Port {port}" in sentence
    assert "--port" in sentence
    assert not (tmp_path / "run" / "api").exists()


def test_what_answers_on_the_port_must_be_ours(tmp_path: Path) -> None:
    """Otherwise a sample report would be handed to whoever is there."""
    with another_program() as port:
        assert not Api(tmp_path, port, {}).answers()
        assert listens([os.getpid()], port)
        assert not listens([os.getppid()], port)


def test_a_second_one_is_refused_at_once_and_runs_with_folders_of_its_own(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    port, other = free_port(), free_port()
    with running(port, first):
        began = time.monotonic()
        sentence = refused(run(other, "--once", **folders(first)))
        assert time.monotonic() - began < 15, "it waited for the first one to end"
        assert str(first / "run") in sentence
        for variable in folders(second):
            assert f"{variable}=" in sentence
        assert f"Port {port}" in refused(run(port, "--once", **folders(second)))
        done = run(other, "--once", **folders(second))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "var/" not in done.stdout.partition("POST")[0]
        assert f"sqlite:///{second}/reportq.db" in done.stdout
        assert (second / "run" / "sample.pdf").read_bytes().startswith(b"%PDF-")


def test_a_taken_port_of_the_receiver_is_exchanged(tmp_path: Path) -> None:
    """It is remembered from start to start; what took it meanwhile is not its fault."""
    with another_program() as port:
        kept = tmp_path / "run" / "receiver" / "receiver.json"
        kept.parent.mkdir(parents=True)
        kept.write_text(f'{{"port": {port}}}')
        done = run(free_port(), "--once", **folders(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("REPORTQ_BROKER_URL", "amqp://127.0.0.1/", "ops/processes run"),
        ("REPORTQ_MAX_QUEUE_SIZE", "many", "allowed: a whole number"),
        ("REPORTQ_PORT", "99999", "65535"),
    ],
)
def test_an_environment_it_cannot_use_is_refused(tmp_path: Path, variable: str, value: str, said: str) -> None:
    environ = {**os.environ, **folders(tmp_path), variable: value}
    done = subprocess.run(
        [sys.executable, "-m", "ops.demo", "--once"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )
    assert said in refused(done)


class Loser(Server):
    """Says who it is, and ends."""

    name = "loser"
    said = ""

    def command(self) -> list[str]:
        return ["/bin/sh", "-c", f"echo {self.said}; exit 1"]

    def answers(self) -> bool:
        return listening(1)


def test_a_failed_start_quotes_the_log_of_this_start_only(tmp_path: Path) -> None:
    loser = Loser(tmp_path)
    for said in ("earlier", "now"):
        loser.said = said
        with pytest.raises(ServerFailed) as failed:
            loser.start(timeout=20)
    loser.stop()
    assert "now" in str(failed.value)
    assert "earlier" not in str(failed.value)
    assert (tmp_path / "loser.log").read_text() == "earlier\nnow\n"
