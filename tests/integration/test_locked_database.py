"""The embedded API while its database cannot be written: 503 with Retry-After; requests without writes are answered."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ops.servers.process import free_port, wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "REPORTQ_DATABASE_URL": f"sqlite:///{tmp_path / 'r.db'}",
        "REPORTQ_ARTIFACTS_URL": f"file:{tmp_path / 'artifacts'}",
        "REPORTQ_RUN_DIR": str(tmp_path / "run"),
        "REPORTQ_PORT": str(port),
        "REPORTQ_API_THREADS": "4",
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "ops/gunicorn.conf.py", "service.wsgi:app"]
    process = subprocess.Popen(command, env=environ, cwd=ROOT, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return requests.get(f"{url}/readyz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    try:
        wait_until(ready, 60, "the API is up")
        yield url
    finally:
        process.terminate()
        process.wait(60)


def test_a_locked_file_is_503_with_retry_after_and_keeps_nobody_else_waiting(api: str, tmp_path: Path) -> None:
    locker = sqlite3.connect(tmp_path / "r.db", isolation_level=None, timeout=30)
    locker.execute("BEGIN IMMEDIATE")
    answers: list[requests.Response] = []

    def submit(number: int) -> None:
        body = {"code": f"K{number}", "productId": "minatBakatUmum", "data": {}}
        answers.append(requests.post(f"{api}/api/reports/generate-async", json=body, timeout=60))

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    wait_until(lambda: bool(answers), 60, "the first of them has waited for the lock in vain")
    slowest = 0.0
    for _ in range(10):
        began = time.monotonic()
        assert requests.get(f"{api}/livez", timeout=30).status_code == 200
        slowest = max(slowest, time.monotonic() - began)
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.json()["code"] for answer in answers} == {"database_unavailable"}
    assert all(answer.headers["Retry-After"] for answer in answers)
    assert slowest < 5, "as in turn each would have held a thread for as long as the lock"
    locker.execute("ROLLBACK")
    locker.close()

    def accepted() -> bool:
        """The one of us that still asks finds the file free within a moment."""
        submit(99)
        return answers[-1].status_code == 202

    wait_until(accepted, 10, "submissions are taken again")
