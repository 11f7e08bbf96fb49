"""Starts the peers' web servers and workers: two processes each, as many threads as ours."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import requests

from ops.servers.process import Server, listening

ROOT = Path(__file__).resolve().parents[3]
PEERS = "ops.bench.peers"
BIN = Path(sys.executable).parent


def fill(module: str, send: str, jobs: int, environ: Mapping[str, str]) -> None:
    """Put so many jobs into a peer's queue, from a process of its own."""
    code = f"from {module} import *\nfor n in range({jobs}): {send}"
    environment = {**os.environ, **environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)


class Program(Server):
    """One command of a peer."""

    def __init__(self, folder: Path, name: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.name = name
        super().__init__(folder / name)
        self._command = list(command)
        self._environ = dict(environ)

    def command(self) -> list[str]:
        return self._command

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
        return {**self._environ, "PATH": path, "PYTHONPATH": str(ROOT)}

    def answers(self) -> bool:
        return True  # workers: what they do is counted


class Web(Program):
    """A peer's web server; `{port}` in its command is the one it has chosen."""

    def command(self) -> list[str]:
        return [part.format(port=self.port) for part in super().command()]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/reports/generate-async"

    def answers(self) -> bool:
        """Whether a submission is accepted: the port is open long before the application is loaded."""
        body = {"code": "warm", "productId": "warm"}
        return listening(self.port) and requests.post(self.url, json=body, timeout=30).status_code == 202


def celery_worker(folder: Path, app: str, queue: str, environ: Mapping[str, str], processes: int) -> Program:
    """One worker with so many child processes, as `celery worker` is run."""
    command = ["celery", "-A", f"{app}:celery", "worker", "--concurrency", str(processes), "--loglevel", "WARNING"]
    command += ["--queues", queue, "--without-gossip", "--without-mingle"]
    return Program(folder, "celery-worker", command, environ)


@contextlib.contextmanager
def rq_workers(folder: Path, url: str, queue: str, environ: Mapping[str, str], processes: int) -> Iterator[None]:
    """So many workers with RQ's default of a fork for each job."""
    command = ["rq", "worker", "--quiet", "--url", url, queue]
    with contextlib.ExitStack() as workers:
        for number in range(processes):
            workers.enter_context(Program(folder, f"rq-worker-{number}", command, environ))
        yield


def gunicorn(folder: Path, name: str, module: str, environ: Mapping[str, str]) -> Web:
    """Under gunicorn as ours is: 2 processes of 8 threads, connections kept."""
    command = ["gunicorn", "-k", "gthread", "-w", "2", "--threads", "8", "--keep-alive", "15"]
    return Web(folder, name, [*command, "-b", "127.0.0.1:{port}", "--no-control-socket", f"{module}:app"], environ)


def uvicorn(folder: Path, name: str, module: str, environ: Mapping[str, str]) -> Web:
    """Under uvicorn with uvloop, 2 processes, no access log."""
    command = ["uvicorn", "--workers", "2", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log"]
    return Web(folder, name, [*command, "--log-level", "warning", f"{module}:app"], environ)
