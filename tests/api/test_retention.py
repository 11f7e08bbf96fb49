"""Rows go when their time is over and nothing is owed; what was asked of them is answered from the permanent record."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from actors.housekeeping.retention import Retention
from schema.life import retention, rounds
from schema.rows import deliveries, letters
from schema.sql.database import Database
from tests.api.conftest import Api
from tests.protocol.recorder import EXPLAIN

TABLES = ("pdf_job_results", "report_data", "attempts", "rendered", "deliveries", "delivery_attempts")


def finished(
    api: Api, status: str = "completed", *, hours_ago: float = 2, told: bool = True, file_name: str | None = None
) -> str:
    """A job that went the whole way, `hours_ago`."""
    db = api.db
    job_id = api.submit(data={"name": "Ani"}, callback="https://hooks.example/pdf-complete", fileName=file_name)
    db.execute("UPDATE pdf_job_results SET status='processing', start_no=1 WHERE job_id=%s", (job_id,))
    artifact = api.artifacts.reserve()
    api.artifacts.put(artifact, "x.pdf", b"%PDF-1.7 kept", replace=False, labels={})
    db.execute("UPDATE pdf_job_results SET artifact_id=%s WHERE job_id=%s", (artifact, job_id))
    failure = rounds.Failure("invalid_data", "At name: missing.") if status == "failed" else None
    assert rounds.finish(db, api.row(job_id), status, outcome=status, failure=failure)
    if told:
        delivery = deliveries.of_job(db, job_id)[0]
        api.documents.record_end(deliveries.end_of(delivery))
        db.execute(
            f"UPDATE deliveries SET status='delivered', recorded_at={db.now()} WHERE delivery_id=%s",
            (delivery["delivery_id"],),
        )
        db.execute(
            f"INSERT INTO delivery_attempts (delivery_id, number, started_at, outcome) VALUES (%s,1,{db.now()},'delivered')",
            (delivery["delivery_id"],),
        )
    db.execute(f"UPDATE pdf_job_results SET ended_at={db.later(-3600 * hours_ago)} WHERE job_id=%s", (job_id,))
    return job_id


def sweep(db: Database, **chosen: float) -> int:
    return Retention(db, **{"keep": 3600.0, "keep_letters": 3600.0, **chosen}).step(30)


def test_an_old_job_goes_with_all_that_hangs_on_it_and_is_answered_all_the_same(api: Api) -> None:
    job_id, young = finished(api), finished(api, hours_ago=0.5)
    assert sweep(api.db) == 1
    for table in TABLES[:1] + TABLES[1:2] + TABLES[4:5]:
        assert [row["job_id"] for row in api.db.fetch_all(f"SELECT job_id FROM {table}")] == [young], table
    assert api.db.scalar("SELECT COUNT(*) FROM delivery_attempts") == 1
    job = api.get(f"/api/jobs/{job_id}").json
    assert (job["status"], job["code"]) == ("completed", "K1")
    assert datetime.fromisoformat(job["completed_at"]).tzinfo == UTC
    assert api.get(f"/api/jobs/{job_id}/download").content == b"%PDF-1.7 kept"
    assert api.post(f"/api/jobs/{job_id}/cancel").status_code == 404


@pytest.mark.parametrize("owed", ["delivery", "letter", "record"])
def test_a_job_stays_while_anything_is_owed(api: Api, owed: str) -> None:
    status = "failed" if owed == "letter" else "completed"
    job_id = finished(api, status, told=owed != "delivery")
    if owed == "record":
        api.db.execute("UPDATE deliveries SET recorded_at=NULL")
    assert sweep(api.db) == 0
    if owed == "letter":
        letter = letters.open_of_job(api.db, job_id)[0]
        letters.resolve(api.db, letter["dead_letter_id"], "discarded", "test")
        assert sweep(api.db) == 1
        failed = api.get(f"/api/jobs/{job_id}/download")
        assert (failed.status_code, failed.json["code"]) == (409, "invalid_data")
        assert api.db.scalar("SELECT COUNT(*) FROM dead_letters") == 1
        api.db.execute(f"UPDATE dead_letters SET resolved_at={api.db.later(-7200)}, published_at={api.db.now()}")
        sweep(api.db)
        assert api.db.scalar("SELECT COUNT(*) FROM dead_letters") == 1, "its copy still lies in .XQ"
        api.db.execute(f"UPDATE dead_letters SET swept_at={api.db.now()}")
        sweep(api.db)
        assert api.db.scalar("SELECT COUNT(*) FROM dead_letters") == 0


def test_a_replayed_job_is_not_taken_for_an_ended_one(api: Api) -> None:
    job_id = finished(api, "failed")
    rounds.replay(api.db, job_id, by="test")
    assert sweep(api.db) == 0
    assert api.row(job_id)["status"] == "queued"


def test_many_jobs_that_must_stay_do_not_keep_others_from_going(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_BATCH", 10)
    for _ in range(retention._BATCH + 5):
        finished(api, told=False, hours_ago=3)
    finished(api, hours_ago=2)
    assert sweep(api.db) == 1
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == retention._BATCH + 5


def test_candidates_are_read_off_the_index_alone(api: Api) -> None:
    finished(api)
    for after in (None, ("2020-01-01 00:00:00", "pdf_x")):
        sql, params = retention.candidates_query(api.db, 3600, after)
        sql = EXPLAIN[api.db.dialect] + sql
        cursor = api.db.peewee.execute_sql(sql.replace("%s", "?") if api.db.dialect == "sqlite" else sql, params)
        plan = str(cursor.fetchall())
        assert "idx_jobs_ended" in plan
        assert "COVERING INDEX" in plan or "Using index" in plan
        assert "filesort" not in plan
