"""Submissions: one at a time, waiting, in batches, repeated."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import falcon.testing
import pytest

from ops.servers.process import wait_until
from schema.http import problems
from schema.rows import jobs, switches
from schema.sql.database import Database, Row
from schema.sql.times import as_time
from service.waiters import WaiterBoard
from tests.api.conftest import BODY, Api

SYNC = "/api/reports/generate"
BATCH = "/api/reports/batch"


def test_a_report_is_accepted_with_where_to_look(api: Api) -> None:
    answer = api.post("/api/reports/generate-async", BODY)
    assert answer.status_code == 202
    job_id = answer.json["job_id"]
    assert answer.headers["location"] == f"/api/jobs/{job_id}"
    assert answer.json["status"] == "queued"
    assert answer.json["position_in_queue"] == 1
    assert api.get(f"/api/jobs/{job_id}").json["code"] == "K1"


def test_a_job_is_no_older_than_its_submission(api: Api) -> None:
    """The plan's created_at has whole seconds on MariaDB: a job of 20 ms would seem to have taken a second."""
    job_id = api.submit()
    api.end(job_id)
    requested = as_time(api.row(job_id)["requested_at"])
    shown = [api.get(f"/api/jobs/{job_id}").json, api.get("/api/jobs").json["jobs"][0]]
    assert requested is not None
    for job in shown:
        assert abs(datetime.fromisoformat(job["created_at"]) - requested) < timedelta(milliseconds=2)
    # A replay asks anew for the same job: what is shown is still when it was made.
    api.db.execute(f"UPDATE pdf_job_results SET round=2, requested_at={api.db.later(3600)} WHERE job_id=%s", (job_id,))
    created = datetime.fromisoformat(api.get(f"/api/jobs/{job_id}").json["created_at"])
    assert abs(created - requested) < timedelta(seconds=2)


@pytest.mark.parametrize(
    ("method", "path", "kept"),
    [
        ("GET", "/api/jobs", "no-store"), ("GET", "/api/jobs/pdf_none", "no-store"), ("GET", "/api/overview", "no-store"),
        ("POST", "/api/reports/generate-async", "no-store"), ("GET", "/metrics", "no-store"), ("GET", "/x", "no-store"),
        ("GET", "/", "no-cache"), ("GET", "/console/main.js", "no-cache"),
    ],
)  # fmt: skip
def test_answers_are_kept_by_nobody_and_taken_for_nothing_else(api: Api, method: str, path: str, kept: str) -> None:
    answer = api.client.simulate_request(method, path, host="127.0.0.1")
    assert answer.headers["cache-control"] == kept
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_same_key_and_body_give_the_same_job_and_another_body_is_refused(api: Api) -> None:
    headers = {"Idempotency-Key": "1234-0"}
    first = api.post("/api/reports/generate-async", BODY, headers=headers)
    second = api.post("/api/reports/generate-async", {"productId": "p", "code": "K1"}, headers=headers)
    assert second.json["job_id"] == first.json["job_id"]
    assert second.headers["idempotent-replayed"] == "true"
    other = api.post("/api/reports/generate-async", {**BODY, "code": "K2"}, headers=headers)
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 1


@pytest.mark.parametrize("path", ["/api/reports/generate-async", SYNC, BATCH])
def test_a_repeated_request_gives_its_job_also_while_the_backlog_is_full(api_of: Callable[..., Api], path: str) -> None:
    api = api_of(max_backlog=2)
    body = {"jobs": [BODY, BODY]} if path == BATCH else BODY
    headers = {"Idempotency-Key": "1234-0", "Prefer": "respond-async"}

    def ids(answer: falcon.testing.Result) -> list[str]:
        return [job["job_id"] for job in answer.json.get("jobs", [answer.json])]

    first = api.post(path, body, headers=headers)
    if path != BATCH:
        api.submit(code="the last place")
    again = api.post(path, body, headers=headers)
    assert (again.status_code, ids(again)) == (202, ids(first))
    assert again.headers["idempotent-replayed"] == "true"
    for other in (None, {"Idempotency-Key": "1234-1"}):
        full = api.post(path, body, headers=other)
        assert (full.status_code, full.json["code"]) == (429, "backlog_full")
    changed = {"jobs": [BODY, {**BODY, "code": "K2"}]} if path == BATCH else {**BODY, "code": "K2"}
    assert api.post(path, changed, headers=headers).json["code"] == "idempotency_key_reused"


@pytest.mark.parametrize("more", [{}, {"data": {"n": 1}}])
def test_a_key_whose_job_is_cleaned_away_at_this_very_moment_makes_a_new_one(
    api: Api, monkeypatch: pytest.MonkeyPatch, more: dict[str, object]
) -> None:
    headers = {"Idempotency-Key": "1234-0"}
    first = api.post("/api/reports/generate-async", {**BODY, **more}, headers=headers).json["job_id"]
    found = jobs.find_by_key

    def too_late(db: Database, key: str) -> Row | None:
        db.execute("DELETE FROM report_data WHERE job_id=%s", (first,))
        db.execute("DELETE FROM pdf_job_results WHERE job_id=%s", (first,))
        return found(db, key)

    monkeypatch.setattr(jobs, "find_by_key", too_late)
    answer = api.post("/api/reports/generate-async", {**BODY, **more}, headers=headers)
    assert answer.status_code == 202
    assert answer.json["job_id"] != first
    assert api.row(answer.json["job_id"])["status"] == "queued"


def test_a_trace_is_kept_and_a_broken_one_costs_nothing(api: Api) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for given, kept in ((trace, trace), ("nonsense", None)):
        answer = api.post("/api/reports/generate-async", BODY, headers={"traceparent": given})
        assert api.row(answer.json["job_id"])["traceparent"] == kept


# -- the synchronous endpoint -------------------------------------------------------------------------------------


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once a caller has found the job unended and waits."""
    event, wait = threading.Event(), WaiterBoard.wait

    def noted(board: WaiterBoard, job_id: str, seconds: float) -> bool:
        event.set()
        return wait(board, job_id, seconds)

    monkeypatch.setattr(WaiterBoard, "wait", noted)
    return event


def ending(api: Api, waited: threading.Event, status: str, **columns: object) -> threading.Thread:
    """Somebody who ends the first job once it is waited for."""

    def work() -> None:
        assert waited.wait(30)
        job_id = api.db.scalar("SELECT job_id FROM pdf_job_results WHERE status='queued'")
        api.end(job_id, status, **columns)
        api.db.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_the_synchronous_endpoint_answers_with_the_pdf(api: Api, waited: threading.Event) -> None:
    worker = ending(api, waited, "completed")
    answer = api.post(SYNC, BODY)
    worker.join()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content == b"%PDF-1.7 done"


def test_the_synchronous_endpoint_tells_why_a_job_failed(api: Api, waited: threading.Event) -> None:
    worker = ending(
        api, waited, "failed", error_code="template_not_found", error_message="There is no template for 'p'."
    )
    answer = api.post(SYNC, BODY)
    worker.join()
    assert (answer.status_code, answer.json["code"]) == (409, "template_not_found")
    assert answer.json["detail"] == "There is no template for 'p'."
    assert api.row(answer.json["job_id"])["status"] == "failed"


def test_the_synchronous_endpoint_answers_409_also_for_a_job_that_failed_of_a_fault_here(
    api: Api, waited: threading.Event
) -> None:
    worker = ending(api, waited, "failed", error_code="internal_error", error_message="Something went wrong.")
    answer = api.post(SYNC, BODY)
    worker.join()
    assert (answer.status_code, answer.json["status"], answer.json["code"]) == (409, 409, "internal_error")


def test_the_synchronous_endpoint_waits_no_longer_than_asked(api: Api) -> None:
    answer = api.post(SYNC, BODY, headers={"Prefer": "wait=0.2"})
    assert (answer.status_code, answer.json["status"]) == (202, "queued")
    at_once = api.post(SYNC, BODY, headers={"Prefer": "respond-async, wait=50"})
    assert at_once.status_code == 202


def test_a_waiter_too_many_is_answered_at_once(api_of: Callable[..., Api]) -> None:
    api = api_of(api_waiters=1)
    first = api.submit()

    def wait_for_first() -> None:
        # The question below may hold the only place at this moment: then this caller comes again.
        while "preference-applied" not in api.get(f"/api/jobs/{first}", headers={"Prefer": "wait=30"}).headers:
            pass

    waiting = threading.Thread(target=wait_for_first)
    waiting.start()
    second = api.submit(code="K2")
    # Once the only place is taken, the next caller is not kept: it would otherwise wait for half a minute.
    wait_until(lambda: "preference-applied" not in _asked(api, second).headers, 10, "the place is taken")
    api.end(first)
    waiting.join(10)
    assert not waiting.is_alive()


def _asked(api: Api, job_id: str) -> object:
    return api.get(f"/api/jobs/{job_id}", headers={"Prefer": "wait=0.01"})


def test_a_long_poll_ends_with_the_job(api: Api, waited: threading.Event) -> None:
    job_id = api.submit()
    worker = ending(api, waited, "completed")
    answer = api.get(f"/api/jobs/{job_id}", headers={"Prefer": "wait=30"})
    worker.join()
    assert answer.json["status"] == "completed"
    assert answer.headers["preference-applied"] == "wait=30"


def test_the_share_of_the_rollout_is_answered_at_once_and_stays_in_it(api_of: Callable[..., Api]) -> None:
    api = api_of(rollout_percent=10, switch_poll=0.05)
    half = switches.Rollout(50, True)
    tenth = switches.Rollout(10, True)
    codes = [f"code-{n}" for n in range(2000)]
    chosen = {code for code in codes if tenth.answers_at_once(code)}
    assert 120 < len(chosen) < 290
    assert chosen <= {code for code in codes if half.answers_at_once(code)}
    answer = api.post(SYNC, {**BODY, "code": min(chosen)})
    assert answer.status_code == 202


@pytest.mark.parametrize("turned", [True, False], ids=["by a switch", "by the settings"])
def test_the_synchronous_endpoint_is_announced_to_go_once_the_rollout_is_whole(
    api_of: Callable[..., Api], turned: bool
) -> None:
    before = api_of().post(SYNC, BODY, headers={"Prefer": "wait=0"})
    assert not {"deprecation", "sunset"} & set(before.headers)
    if turned:
        switches.set_rollout(before_db := api_of().db, by="test", percent=100)
        assert before_db.scalar("SELECT COUNT(*) FROM switches") == 1
    api = api_of(sync_sunset_after=86_400.0, rollout_percent=0 if turned else 100)
    for body, status in ((BODY, 202), ({}, 422)):
        answer = api.post(SYNC, body)
        assert answer.status_code == status
        since = int(re.fullmatch(r"@(\d+)", answer.headers["deprecation"])[1])  # type: ignore[index]
        assert abs(since - time.time()) < (3600 if turned else 1e9)
        assert parsedate_to_datetime(answer.headers["sunset"]).timestamp() == since + 86_400
        assert 'rel="successor-version"' in answer.headers["link"]
    assert "deprecation" not in api.post("/api/reports/generate-async", BODY).headers


def test_the_switched_off_endpoint_names_the_other_one(api_of: Callable[..., Api]) -> None:
    api = api_of(switch_poll=0.05)
    switches.set_rollout(api.db, by="test", sync_enabled=False, percent=100)

    def answers() -> bool:
        return api.post(SYNC, BODY, headers={"Prefer": "wait=0"}).status_code == 410

    wait_until(answers, 5, "the switch is seen")
    gone = api.post(SYNC, BODY)
    assert gone.json["code"] == "sync_disabled"
    assert "/api/reports/generate-async" in gone.headers["link"]
    switches.set_rollout(api.db, by="test", sync_enabled=True)
    wait_until(lambda: api.post(SYNC, BODY).status_code == 202, 5, "the switch is seen")
    acts = api.db.fetch_all("SELECT subject, why FROM audit WHERE act='switch' ORDER BY id")
    assert [(a["subject"], a["why"]) for a in acts] == [
        ("rollout_percent", "100"), ("sync_enabled", "off"), ("sync_enabled", "on"),
    ]  # fmt: skip


# -- batches ------------------------------------------------------------------------------------------------------


def test_a_batch_is_accepted_whole_and_in_order(api: Api) -> None:
    answer = api.post(BATCH, {"jobs": [{**BODY, "code": f"K{n}", "data": {"n": n}} for n in range(5)]})
    assert answer.status_code == 202
    results = answer.json["jobs"]
    assert [api.row(result["job_id"])["code"] for result in results] == [f"K{n}" for n in range(5)]
    assert [result["position_in_queue"] for result in results] == [1, 2, 3, 4, 5]


def test_one_wrong_job_refuses_the_batch_and_is_named(api: Api) -> None:
    jobs = [BODY, {**BODY, "priority": "urgent"}, {"code": 5, "productId": "p", "extra": 1}, 7]
    answer = api.post(BATCH, {"jobs": jobs})
    assert answer.status_code == 422
    assert set(answer.json["errors"]) == {"jobs[1].priority", "jobs[2].code", "jobs[2].extra", "jobs[3]"}
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0


def test_a_repeated_batch_gives_the_same_jobs(api: Api) -> None:
    body = {"jobs": [BODY, BODY, {**BODY, "code": "K2"}]}
    first = api.post(BATCH, body, headers={"Idempotency-Key": "b1"})
    again = api.post(BATCH, body, headers={"Idempotency-Key": "b1"})
    assert [j["job_id"] for j in again.json["jobs"]] == [j["job_id"] for j in first.json["jobs"]]
    for changed in ([BODY], [*body["jobs"], BODY], [BODY, BODY, BODY]):
        other = api.post(BATCH, {"jobs": changed}, headers={"Idempotency-Key": "b1"})
        assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 3


@pytest.mark.parametrize("count", [0, 501])
def test_a_batch_has_a_size(api: Api, count: int) -> None:
    answer = api.post(BATCH, {"jobs": [BODY] * count})
    assert answer.status_code == 422
    assert answer.json["code"] == ("batch_too_large" if count else "invalid_request")


# -- the list -----------------------------------------------------------------------------------------------------


def test_pages_show_every_job_once_while_others_come_and_end(api: Api) -> None:
    ids = [api.submit(code=f"K{n}") for n in range(7)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = api.get("/api/jobs", params={"limit": "3", **({"cursor": cursor} if cursor else {})}).json
        seen += [job["job_id"] for job in page["jobs"]]
        api.submit(code="later")
        api.end(ids[0])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(ids)


def test_filters_narrow_the_list(api: Api) -> None:
    ended, waiting = api.submit(code="A"), api.submit(code="B", productId="q")
    api.end(ended)
    for params, expected in (
        ({"status": "completed"}, [ended]),
        ({"code": "B"}, [waiting]),
        ({"product_id": "q"}, [waiting]),
        ({"code": "B", "status": "completed"}, []),
        ({"since": "2020-01-01T00:00:00Z"}, sorted([ended, waiting], reverse=True)),
        ({"since": "2999-01-01T00:00:00+07:00"}, []),
        ({"code": "null"}, []),
    ):
        page = api.get("/api/jobs", params=params).json
        assert sorted((job["job_id"] for job in page["jobs"]), reverse=True) == expected, params


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "done"), ("limit", "0"), ("limit", "501"), ("limit", "1.5"), ("limit", "many"), ("since", "today"),
        ("since", "2026-11-23"), ("since", "2026-13-23T00:00:00Z"), ("cursor", "K1"), ("colour", "red"), ("code", ""),
        ("code", "a\nb"), ("code", "abc\n"),
    ],
)  # fmt: skip
def test_a_parameter_that_cannot_be_used_is_named(api: Api, name: str, value: str) -> None:
    answer = api.get("/api/jobs", params={name: value})
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [name]


# -- the download -------------------------------------------------------------------------------------------------


def test_the_download_says_what_became_of_the_job(api: Api) -> None:
    job_id = api.submit()
    assert api.get(f"/api/jobs/{job_id}/download").json["code"] == "not_ready"
    api.end(job_id)
    assert api.get(f"/api/jobs/{job_id}/download").content == b"%PDF-1.7 done"
    api.artifacts.delete(api.row(job_id)["artifact_id"])
    assert api.get(f"/api/jobs/{job_id}/download").status_code == 410
    api.end(job_id, "failed", error_code="invalid_data", error_message="At name: missing.")
    failed = api.get(f"/api/jobs/{job_id}/download")
    assert (failed.status_code, failed.json["code"]) == (409, "invalid_data")
    assert api.get("/api/jobs/pdf_nothing/download").status_code == 404


def test_the_download_of_a_failed_job_is_409_whatever_it_failed_of(api: Api) -> None:
    job_id = api.submit()
    api.end(job_id, "failed")
    for code in (*problems.CATALOGUE, "render_failed", "no_such_code"):
        api.db.execute(
            "UPDATE pdf_job_results SET error_code=%s, error_message='It went wrong.' WHERE job_id=%s", (code, job_id)
        )
        answer = api.get(f"/api/jobs/{job_id}/download")
        assert (answer.status_code, answer.json["status"], answer.json["code"]) == (409, 409, code)
        assert answer.json["detail"] == "It went wrong."
        assert "retry-after" not in answer.headers
