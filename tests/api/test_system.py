"""The running system from outside: every described answer, many clients at once, slow ones, and a restart."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from ops.servers.process import wait_until
from ops.stack import Stack
from tests.api.conftest import BODY, KEYS
from tests.api.described import PLAIN, THOROUGH, every_answer_to_a_role_is_described

ASYNC = "/api/reports/generate-async"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", ["operate", "submit", "read", None])
def test_every_answer_is_a_described_one(system: Stack, tmp_path: Path, role: str | None) -> None:
    """To the operator, who may ask everything, thoroughly. Others get the same answers, or refusals: those are tried too."""
    every_answer_to_a_role_is_described(system, tmp_path, role, *(THOROUGH if role == "operate" else PLAIN))


@pytest.mark.timeout(400)
def test_two_thousand_submissions_with_two_hundred_keys_are_two_hundred_jobs(system: Stack) -> None:
    """16 clients at once, each key ten times, in the order in which they collide most."""
    given: dict[str, set[str]] = {}
    statuses: Counter[int] = Counter()
    mutex = threading.Lock()
    local = threading.local()

    def submit(n: int) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.trust_env = False
        key = f"many-{n // 10}"
        answer = local.session.post(
            system.url + ASYNC,
            json={"code": f"many-{n // 10}", "productId": "p"},
            headers={"X-API-Key": KEYS["submit"], "Idempotency-Key": key},
            timeout=60,
        )
        with mutex:
            statuses[answer.status_code] += 1
            given.setdefault(key, set()).add(answer.json()["job_id"])

    with ThreadPoolExecutor(16) as clients:
        list(clients.map(submit, range(2000)))
    assert statuses == {202: 2000}
    assert all(len(ids) == 1 for ids in given.values())
    rows = system.sql("SELECT COUNT(*) AS n FROM pdf_job_results WHERE code LIKE %s", "many-%")
    assert len(given) == rows[0]["n"] == 200


def test_a_chunked_body_is_read_and_bounded(system: Stack) -> None:
    def chunks(size: int) -> list[bytes]:
        text = b'{"code": "K1", "productId": "p", "meta": "' + b"x" * size + b'"}'
        return [text[i : i + 65536] for i in range(0, len(text), 65536)]

    for size, status in ((100, 202), (3_000_000, 413)):
        answer = requests.post(
            system.url + ASYNC,
            data=iter(chunks(size)),
            headers={"X-API-Key": KEYS["submit"], "Content-Type": "application/json"},
            timeout=30,
        )
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "head",
    [
        b"POST /api/reports/generate-async HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST /api/reports/generate-async HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /api/jobs HTTP/1.1\r\nHost: x\r\n" + b"X-A: 1\r\n" * 200 + b"\r\n",
        b"GET /api/jobs HTTP/1.1\r\nHost: x\r\nX-A: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"GET / HTTP/9.9\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_hurts_nobody(system: Stack, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", system.port), timeout=20) as raw:
        raw.sendall(head)
        raw.shutdown(socket.SHUT_WR)
        answer = raw.recv(4096)
    assert answer == b"" or re.match(rb"HTTP/1\.[01] 4\d\d", answer), answer
    assert system.call("GET", "/livez").status_code == 200


def test_clients_that_fall_silent_are_let_go(system: Stack) -> None:
    """In the middle of a request, or before it. They are more than there are threads: the service is back without their help."""
    half = []
    for said in [b"", b"POST /api/reports/generate-async HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "] * 40:
        one = socket.create_connection(("127.0.0.1", system.port), timeout=60)
        one.sendall(said)
        half.append(one)
    try:
        wait_until(lambda: _alive(system), 60, "the API answers again")
        assert all(_cut(one) for one in half)
    finally:
        for one in half:
            one.close()


def _alive(system: Stack) -> bool:
    try:
        return requests.get(f"{system.url}/livez", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def _cut(one: socket.socket) -> bool:
    """Whether the service has closed this connection, with or without a word."""
    one.settimeout(30)
    try:
        while one.recv(4096):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


def test_a_reload_loses_no_request(system: Stack) -> None:
    """SIGHUP to gunicorn, three times, under submissions on fresh connections: every one is answered 202."""
    master = system.pid("api")
    stop = threading.Event()
    outcomes: Counter[str] = Counter()

    def submit() -> None:
        while not stop.is_set():
            try:
                answer = requests.post(
                    system.url + ASYNC, json=BODY, timeout=30,
                    headers={"X-API-Key": KEYS["submit"], "Connection": "close"},
                )  # fmt: skip
                outcomes[str(answer.status_code)] += 1
            except requests.RequestException as error:
                outcomes[type(error).__name__] += 1

    clients = [threading.Thread(target=submit) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for round_ in range(3):
            before = outcomes["202"]
            os.kill(master, signal.SIGHUP)
            wait_until(lambda before=before: outcomes["202"] > before + 60, 60, f"reload {round_} is over")
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert set(outcomes) == {"202"}, outcomes


def test_a_hanging_database_is_told_in_bounded_time(system: Stack) -> None:
    """MariaDB is stopped in mid-breath (SIGSTOP): 16 clients get 503 within bounds, and 202 once it breathes again."""

    def submit(_: int) -> tuple[requests.Response, float]:
        began = time.monotonic()
        answer = requests.post(system.url + ASYNC, json=BODY, headers={"X-API-Key": KEYS["submit"]}, timeout=200)
        return answer, time.monotonic() - began

    system.mariadb.suspend()
    try:
        with ThreadPoolExecutor(16) as clients:
            answers = list(clients.map(submit, range(16)))
    finally:
        system.mariadb.resume()
    for answer, took in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        # A look or an insert is given up after 10 s. Asked again, or in turn by 16 callers, it would be a multiple of that.
        assert took < 60

    def accepted() -> bool:
        """By both processes: each rests for two seconds after a look that hung."""
        answers = [system.call("POST", ASYNC, json=BODY, headers={"X-API-Key": KEYS["submit"]}) for _ in range(16)]
        return {answer.status_code for answer in answers} == {202}

    wait_until(accepted, 60, "submissions are accepted again")


def test_a_restarted_database_costs_no_submission(system: Stack) -> None:
    """Its connections are all dead; the first submission afterwards replaces its own and is accepted."""
    for _ in range(8):
        assert system.call("POST", ASYNC, json=BODY, headers={"X-API-Key": KEYS["submit"]}).status_code == 202
    system.mariadb.kill()
    system.mariadb.start()
    for _ in range(8):
        answer = system.call("POST", ASYNC, json=BODY, headers={"X-API-Key": KEYS["submit"]})
        assert answer.status_code == 202, answer.text
