"""Who gets in: every route with every role and method, keys that come and go, rates, and web pages that try."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import falcon.inspect
import pytest
from structlog.testing import capture_logs

from ops.servers.process import wait_until
from ops.servers.small_disk import SmallDisk
from schema.rows import keys as api_keys
from schema.settings import Settings, SettingsError
from schema.sql.database import Database
from service.door.rates import RateLimits
from tests.api.conftest import BODY, KEYS, Api

ENV_KEYS = ",".join(f"{role}er:{role}:{key}" for role, key in KEYS.items())
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

# Written by hand, so that a slip in schema/http/operations.py shows here. What is missing here nobody may call.
READ = {
    ("GET", "/api/jobs"), ("GET", "/api/jobs/{job_id}"), ("GET", "/api/jobs/{job_id}/download"),
    ("GET", "/api/jobs/{job_id}/deliveries"), ("GET", "/api/dead-letters"), ("GET", "/api/dead-letters/{letter_id}"),
    ("GET", "/api/queues"), ("GET", "/metrics"), ("GET", "/api/me"),
    ("GET", "/api/products"), ("GET", "/api/products/{product_id}/schema"),
    ("GET", "/api/batches"),
    ("GET", "/api/batches/{batch_id}"),
    ("GET", "/api/batches/{batch_id}/download"),
}  # fmt: skip
SUBMIT = {
    ("POST", "/api/reports/generate-async"), ("POST", "/api/reports/generate"), ("POST", "/api/reports/batch"),
    ("DELETE", "/api/jobs/{job_id}"), ("POST", "/api/jobs/{job_id}/cancel"), ("POST", "/api/jobs/{job_id}/replay"),
    ("POST", "/api/products/{product_id}/validate"), ("POST", "/api/products/{product_id}/preview"),
    ("POST", "/api/jobs/{job_id}/links"), ("DELETE", "/api/jobs/{job_id}/links/{link_id}"),
    ("POST", "/api/batches/{batch_id}/cancel"), ("POST", "/api/batches/{batch_id}/replay"),
}  # fmt: skip
PEOPLE = ("/", "/favicon.ico")  # the console's files need no key: they ask for one


def expected(method: str, template: str, role: str | None) -> str:
    call = (method, template)
    if template in ("/livez", "/readyz") or template in PEOPLE or template.startswith("/console"):
        return "in"
    if role is None:
        return "unauthorized" if not template.startswith("/docs") else "in"
    if method == "OPTIONS":
        return "in"
    needed = "read" if call in READ or method in ("GET", "HEAD") else "submit" if call in SUBMIT else "operate"
    ranks = ("read", "submit", "operate")
    return "in" if ranks.index(role) >= ranks.index(needed) else "forbidden"


def test_every_route_with_every_role_and_method(api_of: Callable[..., Api]) -> None:
    api = api_of(api_keys=ENV_KEYS)
    templates = [route.path for route in falcon.inspect.inspect_routes(api.client.app)]
    assert {path for _, path in SUBMIT} <= set(templates)
    wrong = []
    for template, method, role in itertools.product(templates, METHODS, [None, *KEYS]):
        path = template.replace("{job_id}", "pdf_none").replace("{", "").replace("}", "") or "/"
        headers = {"X-API-Key": KEYS[role]} if role else {}
        headers["Prefer"] = "wait=0"
        answer = api.client.simulate_request(method, path, headers=headers, body="")
        got = {401: "unauthorized", 403: "forbidden"}.get(answer.status_code, "in")
        if got != expected(method, template, role) and not _public(template):
            wrong.append((method, template, role, answer.status_code))
        assert answer.status_code < 500, (method, template, role, answer.text)
    assert not wrong


def _public(template: str) -> bool:
    """Pages without anything of anybody's: documentation and the console's own files."""
    return template in (
        "/openapi.json",
        "/docs",
        "/docs/problems",
        "/",
        "/console/{name}",
        "/favicon.ico",
        "/l/{token}",
    )


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"X-API-Key": ""}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic " + KEYS["operate"]}, {"Authorization": KEYS["operate"]},
        {"X-API-Key": KEYS["operate"].upper()}, {"X-API-Key": KEYS["operate"] + " x"}, {"X-API-Key": "é" * 40},
        {"X-API-Key": KEYS["operate"], "Authorization": ""}, {"X-API-Key": KEYS["operate"], "Authorization": "Bearer x"},
    ],
)  # fmt: skip
def test_without_a_known_key_nothing_is_told(api_of: Callable[..., Api], headers: dict[str, str]) -> None:
    answer = api_of(api_keys=ENV_KEYS).get("/api/jobs", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_keys_are_made_and_revoked_while_everything_runs(api_of: Callable[..., Api]) -> None:
    api = api_of(api_keys=ENV_KEYS)
    key_id, key = api_keys.make(api.db, "n8n", "submit", by="test")
    headers = {"Authorization": f"Bearer {key}"}

    def status() -> int:
        return api.post("/api/reports/generate-async", BODY, headers=headers).status_code

    wait_until(lambda: status() == 202, 5, "the new key works")
    assert api.db.scalar("SELECT owner FROM pdf_job_results") == "n8n"
    assert api_keys.revoke(api.db, key_id, by="test", why="leaked")
    wait_until(lambda: status() == 401, 10, "the revoked key is refused")
    assert not api_keys.revoke(api.db, key_id, by="test")
    assert key not in str(api_keys.everything(api.db))
    assert len(api.db.fetch_all("SELECT * FROM audit WHERE subject=%s", (key_id,))) == 2


def test_revoking_the_last_key_opens_nothing(api_of: Callable[..., Api]) -> None:
    api = api_of()
    key_id, _ = api_keys.make(api.db, "n8n", "submit", by="test")
    api_keys.revoke(api.db, key_id, by="test")
    assert api_of().get("/api/jobs").status_code == 401


def test_old_and_new_key_of_one_name_share_idempotency_and_others_do_not(api_of: Callable[..., Api]) -> None:
    api = api_of()
    keys = [api_keys.make(api.db, name, "submit", by="test")[1] for name in ("n8n", "n8n", "other")]
    jobs = [
        api.post("/api/reports/generate-async", BODY, headers={"X-API-Key": key, "Idempotency-Key": "1"}).json["job_id"]
        for key in keys
    ]
    assert jobs[0] == jobs[1] != jobs[2]


@pytest.mark.parametrize(
    ("name", "role", "rate"), [("", "read", None), ("a:b", "read", None), ("a", "root", None), ("a", "read", -1)]
)
def test_a_key_that_makes_no_sense_is_not_made(db: Database, name: str, role: str, rate: int | None) -> None:
    with pytest.raises(ValueError):
        api_keys.make(db, name, role, by="test", rate=rate)


def test_listening_beyond_loopback_without_keys_is_refused(db: Database) -> None:
    wide = Settings(host="0.0.0.0")
    with pytest.raises(SettingsError, match="keys make"):
        api_keys.require_keys(db, wide)
    api_keys.require_keys(db, Settings())
    api_keys.require_keys(db, Settings(host="0.0.0.0", api_keys=ENV_KEYS))
    api_keys.make(db, "n8n", "submit", by="test")
    api_keys.require_keys(db, wide)


PUBLIC = (
    "https://reports.example", "http://10.0.0.7:8000/reports", "http://127.0.0.1.reports.example", "http://[fd00::1]:8000",
    "https://localhost.example/", "http://2130706433", "http://0.0.0.0:8000", "HTTPS://REPORTS.EXAMPLE",
)  # fmt: skip


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_url_beyond_this_machine_is_refused_while_there_are_no_keys(db: Database, url: str) -> None:
    open_to_all = Settings.from_env({"REPORTQ_PUBLIC_URL": url})
    with pytest.raises(SettingsError, match=r"REPORTQ_PUBLIC_URL: .*no API keys.*keys make"):
        api_keys.require_keys(db, open_to_all)
    api_keys.require_keys(db, replace(open_to_all, api_keys=ENV_KEYS))
    api_keys.make(db, "n8n", "submit", by="test")
    api_keys.require_keys(db, open_to_all)


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1:9000", "http://LOCALHOST/reports/", "http://[::1]", "https://127.9.9.9"]
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_public_url_of_this_machine_needs_no_keys(db: Database, url: str, host: str) -> None:
    api_keys.require_keys(db, Settings.from_env({"REPORTQ_PUBLIC_URL": url, "REPORTQ_HOST": host}))


# -- rates --------------------------------------------------------------------------------------------------------


def test_a_key_that_asks_too_often_is_told_when_to_come_back(api_of: Callable[..., Api]) -> None:
    api = api_of()
    slow = {"X-API-Key": api_keys.make(api.db, "slow", "submit", by="test", rate=3)[1]}
    free = {"X-API-Key": api_keys.make(api.db, "free", "submit", by="test")[1]}
    statuses = [api.get("/api/jobs", headers=slow).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    limited = api.get("/api/jobs", headers=slow)
    assert limited.json["code"] == "rate_limited"
    assert 1 <= int(limited.headers["retry-after"]) <= 20
    assert api.get("/api/jobs", headers=free).status_code == 200


def test_a_batch_passes_whole_and_is_paid_for_afterwards(api_of: Callable[..., Api]) -> None:
    api = api_of()
    headers = {"X-API-Key": api_keys.make(api.db, "slow", "submit", by="test", rate=60)[1]}
    assert api.post("/api/reports/batch", {"jobs": [BODY] * 100}, headers=headers).status_code == 202
    limited = api.get("/api/jobs", headers=headers)
    assert limited.status_code == 429
    assert 30 <= int(limited.headers["retry-after"]) <= 42


def test_a_repeated_or_refused_batch_is_not_paid_for_again(api_of: Callable[..., Api]) -> None:
    api = api_of(max_backlog=150)
    headers = {
        "X-API-Key": api_keys.make(api.db, "slow", "submit", by="test", rate=200)[1],
        "Idempotency-Key": "b1",
    }
    for _ in range(3):
        assert api.post("/api/reports/batch", {"jobs": [BODY] * 100}, headers=headers).status_code == 202
    other = {**headers, "Idempotency-Key": "b2"}
    assert api.post("/api/reports/batch", {"jobs": [BODY] * 100}, headers=other).json["code"] == "backlog_full"
    assert api.get("/api/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/api/reports/generate-async", "/api/reports/generate", "/api/reports/batch"])
def test_a_submission_that_comes_too_often_is_counted_as_over_rate(api_of: Callable[..., Api], path: str) -> None:
    api = api_of()
    slow = {"X-API-Key": api_keys.make(api.db, "slow", "submit", by="test", rate=1)[1]}
    free = {"X-API-Key": api_keys.make(api.db, "free", "read", by="test")[1]}

    def count(result: str) -> float:
        found = re.search(
            rf'^reportq_submissions_total\{{result="{result}"\}} (\S+)$', api.get("/metrics", headers=free).text, re.M
        )
        assert found is not None
        return float(found[1])

    assert count("over_rate") == 0
    api.get("/api/jobs", headers=slow)
    for headers, status in ((slow, 429), (slow, 429), ({"X-API-Key": "wrong"}, 401)):
        assert api.post(path, BODY, headers=headers).status_code == status
    assert (count("over_rate"), count("limited"), count("refused"), count("accepted")) == (2, 0, 1, 0)
    route = f'reportq_http_request_duration_seconds_count{{method="POST",route="{path}",status="4xx"}} 3'
    assert route in api.get("/metrics", headers=free).text


@pytest.fixture
def rates(tmp_path: object) -> Iterator[Callable[[], RateLimits]]:
    made: list[RateLimits] = []

    def make() -> RateLimits:
        made.append(RateLimits(str(tmp_path)))
        return made[-1]

    yield make
    for limits in made:
        limits.close()


def test_a_full_run_folder_fails_no_request_and_each_process_limits_by_itself(
    small_disk: Callable[..., SmallDisk],
) -> None:
    disk = small_disk(1 << 20)
    disk.fill()
    with capture_logs() as logs:
        one, other = RateLimits(str(disk.folder)), RateLimits(str(disk.folder))
        for limits in (one, other):
            assert [limits.spend("key", 3) for _ in range(3)] == [0, 0, 0]
            assert limits.spend("key", 3) > 0
    assert [str(disk.folder) in entry["detail"] for entry in logs] == [True, True]  # once a process
    disk.free()
    assert one.spend("key", 3) > 0
    assert other.spend("key", 3) > 0
    for limits in (one, other):
        limits.close()


def test_processes_of_a_host_share_one_bucket(rates: Callable[[], RateLimits]) -> None:
    one, other = rates(), rates()
    waits = [limits.spend("key", 4) for limits in (one, other) * 3]
    assert waits[:4] == [0, 0, 0, 0]
    assert all(wait > 0 for wait in waits[4:])
    assert one.spend("key", 0) == 0


# -- web pages ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "localhost:8000", "[::1]:8000", "LOCALHOST"])
def test_programs_of_this_machine_need_no_key(api: Api, host: str) -> None:
    assert api.client.simulate_get("/api/jobs", headers={"Host": host}).status_code == 200
    same = {"Host": host, "Origin": f"http://{host.lower()}"}
    assert api.client.simulate_get("/api/jobs", headers=same).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"Host": "evil.example:8000"}, {"Host": ""},
        {"Host": "localhost:x"}, {"Host": "127.0.0.1", "Origin": "http://evil.example"},
        {"Host": "127.0.0.1", "Origin": "null"}, {"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:9000"},
        {"Host": "127.0.0.1", "Origin": "http://["}, {"Host": "127.0.0.1@evil.example"},
    ],
)  # fmt: skip
def test_a_web_page_cannot_drive_it(api: Api, headers: dict[str, str]) -> None:
    answer = api.client.simulate_post("/api/reports/generate-async", json=BODY, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (403, "host_refused")
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0


# -- proxies ------------------------------------------------------------------------------------------------------

MARKS = (
    "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Anything", "X-Forwarded",
    "x-forwarded-for", "X-Real-IP", "X-Real-Port", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "CF-Ray", "CDN-Loop",
    "X-Cluster-Client-IP", "Fastly-Client-IP", "X-Envoy-External-Address", "X-Original-URL", "X-ProxyUser-IP", "Client-IP",
    "X-Amzn-Trace-Id", "X-Scheme", "Tailscale-User-Login", "Proxy-Connection", "X-Remote-Addr",
)  # fmt: skip


@pytest.mark.parametrize("mark", MARKS)
def test_without_keys_what_came_through_a_proxy_is_refused(api: Api, mark: str) -> None:
    for path in ("/", "/docs", "/openapi.json", "/metrics", "/api/overview", "/nothing"):
        answer = api.get(path, headers={mark: "1"})
        assert (answer.status_code, answer.json["code"]) == (403, "host_refused"), path
        assert mark.lower() in answer.json["detail"].lower()
        assert "proxy" in answer.json["next_step"]
    answer = api.post("/api/reports/generate-async", BODY, headers={mark: ""})
    assert (answer.status_code, answer.json["code"]) == (403, "host_refused")
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0


def test_without_keys_http_1_0_is_refused_outside_probes_and_metrics(api: Api) -> None:
    for path, status in (
        ("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/", 403), ("/docs", 403), ("/console/main.js", 403),
        ("/api/jobs", 403), ("/api/queues", 403), ("/metrics/", 200), ("/nothing", 403),
    ):  # fmt: skip
        assert api.get(path, http_version="1.0").status_code == status, path
    answer = api.post("/api/reports/generate-async", BODY, http_version="1.0")
    assert (answer.status_code, answer.json["code"]) == (403, "host_refused")
    assert "HTTP/1.0" in answer.json["detail"]


@pytest.mark.parametrize("asked", [{"http_version": "1.0"}, {"headers": {"Via": "1.1 x"}}])
def test_a_probe_through_a_proxy_is_answered_and_told_no_more_than_a_stranger(api: Api, asked: dict[str, Any]) -> None:
    assert "detail" not in api.get("/readyz", **asked).json["parts"]["workers"]
    assert "detail" in api.get("/readyz").json["parts"]["workers"]
    assert api.get("/livez", **asked).status_code == 200


def test_with_keys_a_proxy_may_stand_in_front(api_of: Callable[..., Api]) -> None:
    api = api_of(api_keys=ENV_KEYS)
    headers = {
        "X-API-Key": KEYS["read"],
        "X-Forwarded-For": "203.0.113.9",
        "Via": "1.1 front",
        "Host": "reports.example",
    }
    assert api.client.simulate_get("/api/jobs", headers=headers, http_version="1.0").status_code == 200


def test_no_answer_invites_other_sites(api: Api) -> None:
    origin = {"Origin": "http://127.0.0.1", "Access-Control-Request-Method": "POST"}
    for answer in (
        api.get("/api/jobs", headers=origin),
        api.client.simulate_options("/api/jobs", headers=origin, host="127.0.0.1"),
    ):
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
