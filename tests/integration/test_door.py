"""The door as gunicorn serves it: what falcon's test client cannot show of HEAD, HTTP/1.0, odd methods and large bodies."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.demo import Api
from ops.sample_report import PRODUCT, SAMPLE
from ops.servers.process import free_port, wait_until
from tests.embedded import own

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder, port = tmp_path_factory.mktemp("door"), free_port()
    environ = own(folder, port, REPORTQ_PUBLIC_URL=f"http://127.0.0.1:{port}/reports")
    with Api(Path(folder) / "api", port, environ) as running:
        yield running


@pytest.fixture
def kept(api: Api) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=60)
    connection.connect()
    yield connection
    connection.close()


def said(api: Api, request: bytes) -> bytes:
    """All that is answered to one request, until the connection is closed."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=60) as one:
        one.sendall(request)
        with one.makefile("rb") as stream:
            return stream.read()


def test_head_is_answered_on_a_connection_that_stays_in_step(kept: http.client.HTTPConnection) -> None:
    body = json.dumps({"code": "K1", "productId": PRODUCT, "data": json.loads(SAMPLE.read_text())})
    kept.request("POST", "/api/reports/generate-async", body, {"Content-Type": "application/json"})
    job_id = json.loads(kept.getresponse().read())["job_id"]

    def done() -> bool:
        kept.request("GET", f"/api/jobs/{job_id}")
        return bool(json.loads(kept.getresponse().read())["status"] == "completed")

    wait_until(done, 60, "the report is made")
    paths = (
        "/",
        "/livez",
        "/readyz",
        "/metrics",
        "/docs",
        f"/api/jobs/{job_id}",
        f"/api/jobs/{job_id}/download",
        "/nothing",
    )
    for path in paths:
        answers = []
        for method in ("HEAD", "GET"):
            kept.request(method, path)
            answer = kept.getresponse()
            answers.append((answer.status, answer.headers["Content-Type"]))
            assert bool(answer.read()) == (method == "GET"), path
        assert answers[0] == answers[1], path


def test_a_refused_body_leaves_the_connection_as_promised(kept: http.client.HTTPConnection) -> None:
    held = kept.sock
    for path, status in (("/api/reports/generate-async", 413), ("/nothing", 404), ("/api/jobs", 405)):
        kept.request("POST", path, b"x" * 2_000_000, {"Content-Type": "application/json"})
        answer = kept.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Connection"]) == (status, "keep-alive")
    kept.request("GET", "/livez")
    assert kept.getresponse().read()
    assert kept.sock is held


def test_http_1_0_gets_probes_and_metrics_alone(api: Api) -> None:
    """As a bare proxy_pass of an older nginx sends it."""
    for path, status in (
        ("/livez", b"200"),
        ("/readyz", b"200"),
        ("/metrics", b"200"),
        ("/", b"403"),
        ("/api/jobs", b"403"),
    ):
        answer = said(api, f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{api.port}\r\nConnection: close\r\n\r\n".encode())
        assert answer.split()[1] == status, path


@pytest.mark.parametrize("header", ["SCRIPT_NAME: /livez", "PATH_INFO: /metrics", "X_FORWARDED_FOR: 1"])
def test_no_header_moves_a_request_to_another_path(api: Api, header: str) -> None:
    answer = said(
        api, f"GET /livez/nothing HTTP/1.1\r\nHost: localhost\r\n{header}\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.split()[1] == b"404"


@pytest.mark.parametrize("method", ["WEBSOCKET", "NONE", "TRACE"])
def test_a_method_that_is_none_is_no_fault_of_the_server(api: Api, method: str) -> None:
    answer = said(api, f"{method} /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert answer.split()[1] in (b"400", b"405")
    assert b'"next_step"' in answer


def test_the_public_urls_path_is_there_with_and_without_a_proxy(kept: http.client.HTTPConnection) -> None:
    for path in ("/reports", "/reports/", "/reports/console/main.js", "/reports/livez", "/livez", "/reports/docs/"):
        kept.request("GET", path)
        answer = kept.getresponse()
        answer.read()
        assert answer.status == 200, path
