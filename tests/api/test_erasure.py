"""Erasing a person: nothing that names the code is left anywhere, and what is others' stays."""

from __future__ import annotations

import pytest

from schema import dead_letters, erasure
from tests.api.conftest import Api
from tests.api.test_retention import finished, sweep


def everything(api: Api) -> str:
    tables = [row for row in api.db.peewee.get_tables() if not row.startswith(("schema_migration", "sqlite_"))]
    return "\n".join(f"{table}: {api.db.fetch_all(f'SELECT * FROM {table}')}" for table in tables)


def test_nothing_that_names_the_person_is_left(api: Api) -> None:
    for _ in range(2):
        done = finished(api)
    api.documents.save_report("K1", "p", {"name": "Ani"})
    cleaned = finished(api)
    sweep(api.db)
    failed = finished(api, "failed", hours_ago=0)
    waiting = api.submit(data={"name": "Ani"}, callback="https://hooks.example/x")
    letter = dead_letters.open_of_job(api.db, failed)[0]["dead_letter_id"]
    api.db.execute(
        f"UPDATE dead_letters SET published_at={api.db.now()}, traceback='K1 in main' WHERE dead_letter_id=%s",
        (letter,),
    )
    other = api.submit(code="K2")
    seen = erasure.preview(api.db, api.documents, "K1")
    erased = erasure.erase(api.db, api.documents, api.artifacts, "K1", by="test", why="asked for by letter of 1 May")
    assert (erased.jobs, erased.records) == (2, 4)
    assert (seen.pdfs, erased.dead_letters) == (4, 1)
    assert api.db.scalar("SELECT body FROM report_documents") is not None, "the source document is others'"
    api.db.execute("DELETE FROM report_documents")
    left = everything(api)
    for trace in ("'K1'", "K1 in main", "Ani", done, cleaned, waiting):
        assert trace not in left, trace
    assert [job["job_id"] for job in api.get("/api/jobs").json["jobs"]] == [other]
    for job_id in (done, cleaned, failed, waiting):
        assert api.get(f"/api/jobs/{job_id}").status_code == 404
        assert api.get(f"/api/jobs/{job_id}/download").status_code == 404
    assert not list((api.artifacts.folder).glob("*.pdf"))  # type: ignore[attr-defined]
    act = api.db.fetch_one("SELECT * FROM audit WHERE act='erase'")
    assert act is not None
    assert act["who"] == "test"
    assert "letter of 1 May" in act["why"]
    shell = dead_letters.find(api.db, letter)
    assert shell is not None
    assert (shell["status"], shell["error_message"]) == ("discarded", "(erased)")


def test_a_job_that_a_worker_holds_is_waited_for(api: Api) -> None:
    job_id = api.submit()
    api.db.execute("UPDATE pdf_job_results SET status='processing', start_no=1 WHERE job_id=%s", (job_id,))
    with pytest.raises(erasure.StillAtWork):
        erasure.erase(api.db, api.documents, api.artifacts, "K1", by="test", patience=0.0)
    assert api.row(job_id)["cancel_requested_at"] is not None
    ended = lambda _: api.end(job_id, "cancelled")  # noqa: E731 - the worker reaches its checkpoint while we wait
    assert erasure.erase(api.db, api.documents, api.artifacts, "K1", by="test", pause=ended).jobs == 1


def test_only_the_named_product_goes_when_one_is_named(api: Api) -> None:
    finished(api)
    kept = api.submit(productId="q")
    assert erasure.erase(api.db, api.documents, api.artifacts, "K1", "p", by="test").jobs == 1
    assert api.row(kept)["product_id"] == "q"
