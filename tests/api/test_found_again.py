"""A job is found after its hour: in the list of its code, and by the Idempotency-Key that made it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from ulid import ULID

from actors.desk.erasure import erase
from schema.life import retention
from schema.ports import End
from schema.rows import jobs, used_keys
from schema.rows.jobs import KeyTaken, NewJob
from schema.sql.database import Database
from tests.api.conftest import BODY, Api
from tests.api.test_retention import finished, sweep

SUBMIT, SYNC, BATCH = "/api/reports/generate-async", "/api/reports/generate", "/api/reports/batch"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def listed(api: Api, **query: Any) -> list[tuple[str, str]]:
    """Every page of a list: (job_id, status)."""
    found, params = [], {"code": "K1", **query}
    for _ in range(50):
        page = api.get("/api/jobs", params=params).json
        found += [(job["job_id"], job["status"]) for job in page["jobs"]]
        if page["next_cursor"] is None:
            return found
        params = {**params, "cursor": page["next_cursor"]}
    raise AssertionError("the list does not end")


def recorded(api: Api, **differs: Any) -> str:
    """A job that only the record knows."""
    job_id = f"pdf_{ULID()}"
    api.documents.record_end(replace(End(job_id, "K1", "p", 1, "completed", NOW, NOW), **differs))
    return job_id


def test_a_cleaned_job_is_listed_under_its_code(api: Api) -> None:
    gone, alive = finished(api), api.submit()
    sweep(api.db)
    assert listed(api) == [(alive, "queued"), (gone, "completed")]
    [_, shown] = api.get("/api/jobs?code=K1").json["jobs"]
    assert (shown["priority"], shown["progress"], shown["product_id"]) == (None, 100, "p")
    assert listed(api, status="completed", product_id="p") == [(gone, "completed")]
    assert listed(api, product_id="other") == listed(api, code="K2") == listed(api, since="2100-01-01T00:00:00Z") == []
    assert [job["job_id"] for job in api.get("/api/jobs").json["jobs"]] == [alive], "without a code: rows alone"


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_pages_show_each_job_once_wherever_it_is_kept(api: Api, limit: int) -> None:
    wanted = []
    for n in range(12):
        wanted.append(recorded(api) if n % 3 else api.submit())
        if n % 4 == 0:
            api.documents.record_end(End(wanted[-1], "K1", "p", 1, "failed", NOW, NOW))  # both know it
    assert [job_id for job_id, _ in listed(api, limit=limit)] == wanted[::-1]


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_a_replayed_job_is_not_told_by_its_older_record(api: Api, limit: int) -> None:
    failed = recorded(api, status="failed")
    replayed = [api.submit() for _ in range(5)]
    for job_id in replayed:
        api.documents.record_end(End(job_id, "K1", "p", 1, "failed", NOW, NOW))
    assert listed(api, status="failed", limit=limit) == [(failed, "failed")]


def test_a_page_stays_the_same_while_retention_moves_jobs(api: Api) -> None:
    ids = [finished(api) for _ in range(6)]
    first = api.get("/api/jobs?code=K1&limit=3").json
    sweep(api.db)
    rest = api.get("/api/jobs", params={"code": "K1", "limit": 3, "cursor": first["next_cursor"]}).json
    assert [job["job_id"] for job in first["jobs"] + rest["jobs"]] == ids[::-1]
    assert rest["next_cursor"] is None


# -- keys ---------------------------------------------------------------------------------------------------------


def cleaned(api: Api, path: str, body: Any, status: str = "completed") -> Any:
    """The answer to a submission with the key `k`, whose jobs have ended and are gone."""
    answer = api.post(path, body, headers={"Idempotency-Key": "k", "Prefer": "respond-async"}).json
    db = api.db
    for job in answer.get("jobs", [answer]):
        row = api.row(job["job_id"])
        api.end(job["job_id"], status)
        end = End(
            job["job_id"], row["code"], "p", 1, status, NOW, NOW, artifact_id=api.row(job["job_id"])["artifact_id"]
        )
        api.documents.record_end(end)
        db.execute(
            "INSERT INTO deliveries (delivery_id, job_id, round, event, status, host, record, owed_at, recorded_at, run_at) "
            f"VALUES (%s,%s,1,%s,'recorded','','{{}}',{db.now()},{db.now()},{db.now()})",
            (f"dlv_{ULID()}", job["job_id"], status),
        )
    db.execute(f"UPDATE pdf_job_results SET ended_at={db.later(-7200)}")
    assert sweep(db) == len(answer.get("jobs", [answer]))
    return answer


def test_a_key_outlives_its_row_and_makes_no_second_job(api: Api) -> None:
    first = cleaned(api, SUBMIT, BODY)
    again = api.post(SUBMIT, BODY, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    assert again.json == {
        "job_id": first["job_id"], "status": "completed", "estimated_completion": None, "position_in_queue": None
    }  # fmt: skip
    other = api.post(SUBMIT, {**BODY, "code": "K2"}, headers={"Idempotency-Key": "k"})
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    inline = api.post(SUBMIT, {**BODY, "data": {}}, headers={"Idempotency-Key": "k"})
    assert (inline.status_code, inline.json["code"]) == (422, "idempotency_key_reused")
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0
    assert api.db.scalar("SELECT COUNT(*) FROM report_data") == 0
    assert api.post(SUBMIT, BODY, headers={"Idempotency-Key": "k2"}).json["job_id"] != first["job_id"]


def test_the_synchronous_endpoint_serves_the_pdf_of_a_used_key(api: Api) -> None:
    cleaned(api, SUBMIT, BODY)
    answer = api.post(SYNC, BODY, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.content) == (200, b"%PDF-1.7 done")


def test_a_batch_of_used_keys_is_the_same_batch(api: Api) -> None:
    body = {"jobs": [BODY, {**BODY, "code": "K2"}]}
    first = cleaned(api, BATCH, body, "failed")
    again = api.post(BATCH, body, headers={"Idempotency-Key": "k"})
    assert [job["job_id"] for job in again.json["jobs"]] == [job["job_id"] for job in first["jobs"]]
    assert {job["status"] for job in again.json["jobs"]} == {"failed"}
    assert api.post(BATCH, {"jobs": [BODY]}, headers={"Idempotency-Key": "k"}).status_code == 422
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0


def test_a_full_backlog_still_knows_a_used_key(api_of: Callable[..., Api]) -> None:
    api = api_of()
    first = cleaned(api, SUBMIT, BODY)
    api.submit()
    full = api.anew(max_backlog=1)
    assert full.post(SUBMIT, BODY, headers={"Idempotency-Key": "k"}).json["job_id"] == first["job_id"]
    assert full.post(SUBMIT, BODY).status_code == 429


def test_a_key_is_forgotten_after_a_day_and_with_the_person(api: Api) -> None:
    first = cleaned(api, SUBMIT, BODY)
    sweep(api.db)
    assert api.db.scalar("SELECT COUNT(*) FROM used_keys") == 1
    api.db.execute(f"UPDATE used_keys SET removed_at={api.db.later(-used_keys.KEPT - 1)}")
    sweep(api.db)
    assert api.db.scalar("SELECT COUNT(*) FROM used_keys") == 0
    cleaned(api, SUBMIT, {**BODY, "code": "K2"})
    erase(api.db, api.documents, api.artifacts, "K2", by="test")
    assert api.db.scalar("SELECT COUNT(*) FROM used_keys") == 0
    assert api.post(SUBMIT, BODY, headers={"Idempotency-Key": "k"}).json["job_id"] != first["job_id"]


def test_a_submission_that_meets_the_deletion_of_its_row_makes_no_second_job(db: Database) -> None:
    """It waits for the retention's transaction, whose key it must then see."""
    first = NewJob(f"pdf_{ULID()}", "K1", "p", idempotency_key="k", fingerprint="f")
    jobs.submit(db, first)
    outcome: list[object] = []

    def submit_again() -> None:
        try:
            outcome.append(jobs.submit(db, replace(first, job_id=f"pdf_{ULID()}")))
        except KeyTaken as taken:
            outcome.append(taken.row["job_id"])
        finally:
            db.close()

    meanwhile = threading.Thread(target=submit_again)

    def delete() -> None:
        db.fetch_all(f"SELECT job_id FROM pdf_job_results WHERE job_id=%s{db.lock()}", (first.job_id,))
        meanwhile.start()
        meanwhile.join(0.3)  # it stands before the row's lock by now, or comes later: both must end alike
        used_keys.keep(db, [{**first_known(first)}])  # type: ignore[typeddict-item]
        retention.remove(db, [first.job_id])

    db.transaction(delete)
    meanwhile.join(20)
    assert outcome == [first.job_id]
    assert db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0


def first_known(job: NewJob) -> dict[str, Any]:
    return {"job_id": job.job_id, "status": "completed", "idempotency_key": "k", "fingerprint": "f"}
