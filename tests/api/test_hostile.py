"""Input that nobody sends by mistake, and load that nobody wants: a clear 4xx, 429 or 503 each, never a 500."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import falcon.testing
import pytest

from actors.artifacts import open_artifacts
from ops.servers.process import free_port
from schema.documents import open_documents
from schema.http import problems
from schema.settings import Settings
from schema.sql.database import Database
from service.app import ApiParts, create_app
from tests.api.conftest import BODY, Api

ASYNC = "/api/reports/generate-async"


def raw(api: Api, body: bytes, **headers: str) -> Any:
    chosen = {"Content-Type": "application/json", **headers}
    return api.client.simulate_post(ASYNC, body=body, headers=chosen, host="127.0.0.1")


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"d": value}
    return value


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"), (b"{", "invalid_json"), (b"nonsense", "invalid_json"), (b"\xff\xfe{}", "invalid_json"),
        (b'{"code": NaN}', "invalid_json"), (b'{"code": "\\ud800"}', "invalid_json"), (b"[" * 200_000, "invalid_request"),
        (b'{"a":' * 100_000, "invalid_request"), (b'{"code":1e999}', "invalid_json"), (b"[]", "invalid_request"),
        (b"null", "invalid_request"), (b'"text"', "invalid_request"), (b"{}", "invalid_request"),
        (b'{"code": {"$ne": null}, "productId": {"$gt": ""}}', "invalid_request"),
        (b'{"code": ["a"], "productId": "p"}', "invalid_request"), (b'{"code": "", "productId": "p"}', "invalid_request"),
        (b'{"code": "a\\u0000b", "productId": "p"}', "invalid_request"),
        (b'{"code": "a\\n", "productId": "p"}', "invalid_request"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_request_is_refused(api: Api, body: bytes, code: str) -> None:
    answer = raw(api, body)
    assert answer.json["code"] == code
    assert answer.status_code == problems.problem_of(code).status
    assert answer.headers["content-type"] == "application/problem+json"
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", "x" * 256), ("code", 5), ("productId", None), ("priority", "urgent"), ("priority", 9), ("callback", 7),
        ("callback", ""), ("callback", "x" * 3000), ("data", []), ("data", "text"), ("data", {"a": "\0"}),
        ("data", deep(65)), ("meta", {"a": "\0"}), ("meta", {"\0": 1}), ("meta", "x" * 9000), ("meta", deep(65)),
        ("job_id", "pdf_mine"), ("status", "completed"), ("$where", "1"),
    ],
)  # fmt: skip
def test_a_field_that_cannot_be_used_is_named(api: Api, field: str, value: Any) -> None:
    answer = raw(api, json.dumps({**BODY, field: value}).encode())
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


def test_every_fault_is_named_at_once(api: Api) -> None:
    answer = raw(api, b'{"code": 1, "priority": "no", "colour": 1, "size": 2}')
    assert set(answer.json["errors"]) == {"code", "productId", "priority", "colour", "size"}
    assert "high, normal, low" in answer.json["errors"]["priority"]


def test_an_answer_has_the_advice_that_fits_it(api: Api) -> None:
    assert "as one object in braces" in raw(api, b"[]").json["next_step"]
    assert "errors" not in raw(api, b"[]").json
    assert "64 deep" in raw(api, b"[" * 200_000).json["next_step"]
    for url, advice in (("ftp://hooks.example/", "begins with http://"), ("http://a:b@hooks.example/", "before the @")):
        assert advice in raw(api, json.dumps({**BODY, "callback": url}).encode()).json["next_step"]
    assert raw(api, b"{}").json["next_step"] == problems.problem_of("invalid_request").next_step


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example/", "http://127.0.0.1/", "http://169.254.169.254/latest/meta-data", "http://[::1]/",
        "http://10.0.0.1/", "http://user:pass@example.com/", "javascript:alert(1)", "http://0x7f000001/",
        "http://example.com:22/", "http://exa mple.com/", "http://example.com/\\@evil", "//example.com",
    ],
)  # fmt: skip
def test_a_callback_that_must_not_be_called_is_refused_and_named(api: Api, url: str) -> None:
    for field in ("callback", "failureCallback"):
        answer = raw(api, json.dumps({**BODY, field: url}).encode())
        assert (answer.status_code, answer.json["code"]) == (422, "callback_refused")
        assert list(answer.json["errors"]) == [field]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415), ({"Content-Type": "application/xml"}, 415),
        ({"Content-Type": "\x00" * 5}, 415), ({"Idempotency-Key": ""}, 400), ({"Idempotency-Key": "a b"}, 400),
        ({"Idempotency-Key": "x" * 256}, 400), ({"Idempotency-Key": "é"}, 400),
        ({"X-Request-ID": "x" * 5000}, 202), ({"traceparent": "00-" + "0" * 500}, 202),
    ],
)  # fmt: skip
def test_absurd_headers(api: Api, headers: dict[str, str], status: int) -> None:
    answer = raw(api, json.dumps(BODY).encode(), **headers)
    assert answer.status_code == status
    assert len(answer.headers["x-request-id"]) <= 64


@pytest.mark.parametrize("value", ["wait", "wait=", "wait=-1", "wait=soon", "wait=1e9", "wait=99999999999", "wait=٣"])
def test_a_wait_that_is_no_number_is_refused(api: Api, value: str) -> None:
    job_id = api.submit()
    for answer in (
        api.get(f"/api/jobs/{job_id}", headers={"Prefer": value.encode().decode("latin-1")}),
        api.post("/api/reports/generate", BODY, headers={"Prefer": value.encode().decode("latin-1")}),
    ):
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_header")


def test_preferences_nobody_knows_are_passed_over(api: Api) -> None:
    headers = {"Prefer": "handling=lenient, return=minimal; a=b, WAIT=0"}
    assert api.get(f"/api/jobs/{api.submit()}", headers=headers).status_code == 200


def test_a_body_beyond_the_limit_is_refused_whatever_it_says_of_its_length(api: Api) -> None:
    body = json.dumps({**BODY, "data": {"a": "x" * 1_000_000}}).encode()
    assert raw(api, body).status_code == 413
    just = json.dumps({**BODY, "data": {"a": "x" * 999_000}}).encode()
    assert raw(api, just).status_code == 202


@pytest.mark.parametrize("job_id", ["%00", "%ff", "..", "%2e%2e%2fetc%2fpasswd", "x" * 3000, "'%20OR%201=1--", "{}"])
def test_ids_that_nobody_gave_are_not_found(api: Api, job_id: str) -> None:
    for suffix in ("", "/download"):
        answer = api.get(f"/api/jobs/{job_id}{suffix}")
        assert answer.status_code == 404, answer.text
    assert api.post(f"/api/jobs/{job_id}/cancel").status_code == 404
    assert api.post(f"/api/jobs/{job_id}/replay").status_code == 404


def test_text_of_any_script_survives(api: Api) -> None:
    code = "Ñandú ꦗꦮ 漢字 🎓"
    job_id = api.submit(code=code, meta={"$where": "1", "näme": ["é", 12345678901234567890123]})
    assert api.get(f"/api/jobs/{job_id}").json["code"] == code
    assert [job["job_id"] for job in api.get("/api/jobs", params={"code": code}).json["jobs"]] == [job_id]


# -- load ---------------------------------------------------------------------------------------------------------


def test_a_full_backlog_is_told_with_when_to_come_back(api_of: Callable[..., Api]) -> None:
    api = api_of(max_backlog=3)
    for n in range(3):
        api.submit(code=f"K{n}")
    answer = api.post(ASYNC, BODY)
    assert (answer.status_code, answer.json["code"]) == (429, "backlog_full")
    assert int(answer.headers["retry-after"]) > 0
    assert api.post("/api/reports/batch", {"jobs": [BODY]}).status_code == 429


OPERATOR = {"X-API-Key": "operator-key-0123456789"}


def client_of(url: str, tmp_path: Any) -> falcon.testing.TestClient:
    """An application whose database is somebody who does not answer; a statement is given up after a second."""
    db = Database(url, connect_timeout=1.0, io_timeout=1.0)
    settings = Settings(run_dir=str(tmp_path), api_keys="n8n:operate:operator-key-0123456789")
    artifacts = open_artifacts(Settings(artifacts_url=f"file:{tmp_path}"))
    parts = ApiParts(settings, db, open_documents("database:", db), artifacts, lambda: None, lambda: None)
    return falcon.testing.TestClient(create_app(parts), headers=OPERATOR)


def test_a_database_that_is_down_is_told(tmp_path: Any) -> None:
    """Nobody listens on the port: 503 with Retry-After on every call that needs rows, and probes that say so."""
    client = client_of(f"mysql://root@127.0.0.1:{free_port()}/reportq", tmp_path)
    for method, path in (
        ("POST", ASYNC), ("POST", "/api/reports/generate"), ("POST", "/api/reports/batch"), ("GET", "/api/jobs"),
        ("GET", "/api/jobs/x"), ("POST", "/api/jobs/x/cancel"), ("GET", "/api/jobs/x/download"), ("GET", "/api/overview"),
    ):  # fmt: skip
        body = {"jobs": [BODY]} if path.endswith("batch") else BODY
        answer = client.simulate_request(method, path, json=body if method == "POST" else None)
        assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable"), path
        assert answer.headers["retry-after"]
    assert client.simulate_get("/livez").status_code == 200
    ready = client.simulate_get("/readyz")
    assert (ready.status_code, ready.json["status"]) == (503, "not_ready")


@pytest.mark.parametrize(("method", "path"), [("POST", ASYNC), ("GET", "/api/overview")])
def test_sixteen_callers_of_a_hanging_database_wait_once_and_not_in_turn(tmp_path: Any, method: str, path: str) -> None:
    """Connections are taken and never answered: one caller finds out, the others are told what it found."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent:
        client = client_of(f"mysql://root@127.0.0.1:{silent.getsockname()[1]}/reportq", tmp_path)
        began = time.monotonic()
        with ThreadPoolExecutor(16) as callers:
            answers = list(
                callers.map(
                    lambda _: client.simulate_request(method, path, json=BODY if method == "POST" else None), range(16)
                )
            )
        took = time.monotonic() - began
    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(503, "database_unavailable")}
    # Two seconds for the one who asks (a read is asked once more); in turn they would have waited for 32.
    assert took < 16
