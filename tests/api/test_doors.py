"""What stands between a caller and a route: HEAD, the public URL's path, nulls, marks and compression before JSON."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable
from typing import Any

import falcon
import falcon.inspect
import falcon.testing
import msgspec
import pytest

from schema.http import operations
from schema.rows import jobs
from tests.api.conftest import BODY, KEYS, Api

SUBMIT = "/api/reports/generate-async"
ENV_KEYS = ",".join(f"{role}er:{role}:{key}" for role, key in KEYS.items())

# -- HEAD -----------------------------------------------------------------------------------------------------------


def filled(api: Api) -> dict[str, str]:
    """What stands for each name in a path: a completed job's, and whatever else there is."""
    job_id = api.submit()
    api.end(job_id)
    return {
        "job_id": job_id,
        "letter_id": "dl_none",
        "name": "main.js",
        "product_id": "profilKognitif",
        "token": "t",
        "batch_id": "bat_none",
    }


def read_routes(api: Api) -> list[str]:
    """Every path that takes GET."""
    names = filled(api)
    routes = falcon.inspect.inspect_routes(api.client.app)
    templates = [
        route.path for route in routes if any(one.method == "GET" and not one.internal for one in route.methods)
    ]
    assert {operation.path for operation in operations.OPERATIONS if operation.method == "GET"} <= set(templates)
    return [template.format(**names) for template in templates]


def test_head_on_every_get_route_answers_as_get_does_without_a_body(api: Api) -> None:
    for path in [*read_routes(api), "/api/jobs/pdf_none", "/api/jobs?limit=x", "/console/none.js", "/nothing", SUBMIT]:
        got, head = (api.client.simulate_request(method, path, host="127.0.0.1") for method in ("GET", "HEAD"))
        assert head.status_code == got.status_code, path
        assert head.content == b"", path
        same = set(got.headers) - {"content-length", "x-request-id"}
        assert {name: head.headers.get(name) for name in same} == {name: got.headers[name] for name in same}, path
        if path not in ("/metrics", "/api/overview") and "download" not in path:
            moving = 200 if "dead-letters" in path else 0  # it says how long it took
            assert abs(int(head.headers["content-length"]) - len(got.content)) <= moving, path


def test_head_of_a_pdf_closes_what_it_does_not_send(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    whole = api.artifacts.read

    def kept(artifact_id: str) -> Any:
        read.append(whole(artifact_id))
        return read[-1]

    monkeypatch.setattr(api.artifacts, "read", kept)
    path = f"/api/jobs/{filled(api)['job_id']}/download"
    answer = api.client.simulate_head(path, host="127.0.0.1")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert "content-length" not in answer.headers
    assert [chunks._file.closed for chunks in read] == [True]
    assert api.get(path).content == b"%PDF-1.7 done"


def test_head_waits_for_no_job(api: Api) -> None:
    job_id = api.submit()
    began = time.monotonic()
    answer = api.client.simulate_head(f"/api/jobs/{job_id}", host="127.0.0.1", headers={"Prefer": "wait=60"})
    assert time.monotonic() - began < 30
    assert answer.status_code == 200
    assert "preference-applied" not in answer.headers


def test_head_needs_the_key_that_get_needs(api_of: Callable[..., Api]) -> None:
    api = api_of(api_keys=ENV_KEYS)
    for path in read_routes(api_of()):
        for headers in ({}, {"X-API-Key": KEYS["read"]}):
            answers = [api.client.simulate_request(method, path, headers=headers) for method in ("GET", "HEAD")]
            assert answers[0].status_code == answers[1].status_code, path


def test_head_is_counted_as_head(api: Api) -> None:
    api.client.simulate_head("/livez", host="127.0.0.1")
    assert re.search(r'method="HEAD",route="/livez",status="2xx"', api.get("/metrics").text)


def test_a_method_that_is_none_is_refused_like_any_other(api: Api) -> None:
    for method in ("WEBSOCKET", "FOO", "head"):
        environ = falcon.testing.create_environ("/livez", method=method, host="127.0.0.1")
        told: list[str] = []
        body = b"".join(api.client.app(environ, lambda status, headers, *_, told=told: told.append(status)))
        assert told[0].startswith("400"), method
        assert json.loads(body)["code"] == "invalid_request"


# -- a path in the public URL ---------------------------------------------------------------------------------------

UNDER = "/reports/v1~a"
ABSOLUTE = re.compile(r'(?:href|src)="(/[^"]*)"')


@pytest.fixture
def under(api_of: Callable[..., Api]) -> Api:
    return api_of(public_url=f"http://127.0.0.1:8000{UNDER}/")


@pytest.mark.parametrize("kept", [True, False])
def test_links_lead_through_the_public_urls_path_whether_a_proxy_takes_it_off_or_not(under: Api, kept: bool) -> None:
    root = UNDER if kept else ""
    made = under.post(root + SUBMIT, BODY)
    job_id = made.json["job_id"]
    assert made.headers["location"] == f"{UNDER}/api/jobs/{job_id}"
    assert under.get(f"{root}/api/jobs/{job_id}").status_code == 200
    under.end(job_id, "failed", error_code="timeout", error_message="Too long.")
    replayed = under.post(f"{root}/api/jobs/{job_id}/replay", {})
    assert replayed.headers["location"] == f"{UNDER}/api/jobs/{job_id}"
    waited = under.post(f"{root}/api/reports/generate", BODY, headers={"Prefer": "wait=0"})
    assert waited.headers["location"].startswith(f"{UNDER}/api/jobs/pdf_")
    refused = under.get(f"{root}/api/jobs/pdf_none").json
    assert refused["type"] == f"{UNDER}/docs/problems#job_not_found"
    assert refused["instance"] == f"{UNDER}/api/jobs/pdf_none"
    described = under.get(f"{root}/openapi.json").json
    assert described["servers"] == [{"url": f"http://127.0.0.1:8000{UNDER}"}]
    assert f"({UNDER}/docs/problems)" in described["info"]["description"]
    for page in ("/", "/docs", "/docs/problems"):
        found = ABSOLUTE.findall(under.get(root + page).text)
        assert found, page
        assert [link for link in found if not link.startswith(f"{UNDER}/")] == [], page
        for link in found:
            assert under.get(link).status_code == 200, link


def test_the_synchronous_endpoints_successor_is_linked_through_it(under: Api) -> None:
    answer = under.anew(sync_enabled=False).post("/api/reports/generate", BODY)
    assert answer.headers["link"] == f'<{UNDER}{SUBMIT}>; rel="successor-version"'


@pytest.mark.parametrize("path", ["/api", "/docs", "/api/jobs", "/console", "/metrics"])
def test_a_path_that_is_also_one_of_ours_hides_nothing(api_of: Callable[..., Api], path: str) -> None:
    api = api_of(public_url=f"https://127.0.0.1{path}")
    job_id = api.submit()
    for asked in ("/api/jobs", f"/api/jobs/{job_id}", "/docs", "/metrics", "/console/main.js"):
        assert api.get(asked).status_code == 200, asked
        assert api.get(path + asked).status_code in (200, 404), asked


def test_what_only_begins_like_the_path_is_not_below_it(under: Api) -> None:
    assert under.get(f"{UNDER}x/api/jobs").status_code == 404
    assert under.get(f"{UNDER}{UNDER}/api/jobs").status_code == 404
    assert under.get(UNDER).status_code == 200


def test_without_a_path_links_begin_at_the_root(api: Api) -> None:
    assert api.post(SUBMIT, BODY).headers["location"].startswith("/api/jobs/pdf_")
    assert api.get("/api/jobs/pdf_none").json["type"] == "/docs/problems#job_not_found"
    assert 'src="/console/main.js"' in api.get("/").text


# -- bodies -----------------------------------------------------------------------------------------------------------


def test_null_is_the_default_of_every_optional_field(api: Api) -> None:
    nulls = dict.fromkeys(("priority", "callback", "failureCallback", "fileName", "data", "meta"))
    job_id = api.submit(**nulls)
    assert jobs.priority_word(api.row(job_id)["priority"]) == "normal"
    batch = api.post("/api/reports/batch", {"jobs": [{**BODY, **nulls}, {**BODY, "priority": "high"}]})
    assert [jobs.priority_word(api.row(one["job_id"])["priority"]) for one in batch.json["jobs"]] == ["normal", "high"]
    for operation in operations.OPERATIONS:
        if operation.body is None or operation.path.startswith(("/api/reports", "/api/products")):
            continue
        api.end(job_id, "failed", error_code="timeout")
        path = operation.path.format(
            job_id=job_id, delivery_id="dlv_none", name="pdf", product_id="p", batch_id="bat_none"
        )
        optional = {field.encode_name: None for field in msgspec.structs.fields(operation.body) if not field.required}
        answer = api.post(path, optional)
        assert answer.status_code in (200, 202, 404, 409) or answer.json["detail"].startswith("Name `ids`"), answer.text
        if "filter" in optional:
            assert api.post(path, {**optional, "filter": dict.fromkeys(("job_ids", "code"))}).status_code == 200


def test_null_and_nothing_are_the_same_request_behind_a_key(api: Api) -> None:
    headers = {"Idempotency-Key": "once"}
    made = [api.post(SUBMIT, {**BODY, **more}, headers=headers) for more in ({}, {"priority": None}, {"meta": None})]
    assert len({answer.json["job_id"] for answer in made}) == 1


def test_null_stays_wrong_where_something_is_required(api: Api) -> None:
    answer = api.post(SUBMIT, {"code": None, "productId": None, "priority": "urgent"})
    assert answer.json["errors"] == {
        "code": "must be text, not null", "productId": "must be text, not null",
        "priority": "must be one of high, normal, low",
    }  # fmt: skip


@pytest.mark.parametrize("path", [SUBMIT, "/api/reports/batch", "/api/queues/pdf/pause", "/api/dead-letters/replay"])
def test_a_mark_of_byte_order_before_json_is_passed_over(api: Api, path: str) -> None:
    body = {SUBMIT: BODY, "/api/reports/batch": {"jobs": [BODY]}}.get(path, {"why": "test"})
    if "letters" in path:
        body["filter"] = {}
    plain = json.dumps(body).encode()
    answer = api.client.simulate_post(path, body=b"\xef\xbb\xbf" + plain, host="127.0.0.1")
    assert answer.status_code in (200, 202), answer.text
    twice = api.client.simulate_post(path, body=b"\xef\xbb\xbf" * 2 + plain, host="127.0.0.1")
    assert (twice.status_code, twice.json["code"]) == (400, "invalid_json")
    wide = api.client.simulate_post(path, body=json.dumps(body).encode("utf-16"), host="127.0.0.1")
    assert (wide.status_code, wide.json["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "zstd", "x-gzip", "gzip, identity", None])
def test_a_compressed_body_is_refused_with_what_to_do(api: Api, coding: str | None) -> None:
    headers = {} if coding is None else {"Content-Encoding": coding}
    packed = gzip.compress(json.dumps(BODY).encode())
    for path in (SUBMIT, "/api/queues/pdf/pause"):
        answer = api.client.simulate_post(path, body=packed, headers=headers, host="127.0.0.1")
        assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")
        assert "compressed" in answer.json["detail"]
        assert "without compression" in answer.json["next_step"]
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0


def test_a_body_that_is_said_to_be_plain_is_plain(api: Api) -> None:
    assert api.post(SUBMIT, BODY, headers={"Content-Encoding": "identity"}).status_code == 202
