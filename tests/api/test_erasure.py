"""Erasing a person: nothing that names the code is left anywhere, and what is others' stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actors.desk import erasure
from actors.desk.bulk_replays import Manner, replay_matching
from schema.life import rounds
from schema.ports import End
from schema.rows import audit, deliveries, jobs, letters
from schema.rows.letter_search import LetterFilter
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
    letter = letters.open_of_job(api.db, failed)[0]["dead_letter_id"]
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
    shell = letters.find(api.db, letter)
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


def meanwhile(api: Api, what: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen after the erasure has settled and before its rows go: when the first PDF is deleted."""
    delete, todo = api.artifacts.delete, [what]

    def deleting(artifact_id: str) -> None:
        if todo:
            todo.pop()()
        delete(artifact_id)

    monkeypatch.setattr(api.artifacts, "delete", deleting)


def pdfs(api: Api) -> list[Path]:
    return list(api.artifacts.folder.glob("*.pdf"))  # type: ignore[attr-defined]


def test_a_job_that_comes_in_and_is_taken_up_meanwhile_is_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(api)
    held: list[jobs.Claim] = []

    def comes_in() -> None:
        job_id = api.submit(data={"name": "Ani"})
        claim = jobs.claim(api.db, job_id, worker_id="w", lease=60, timeout=60)
        assert isinstance(claim, jobs.Claim)
        held.append(claim)

    def worker_ends(_: float = 0) -> None:
        """It was past the point of no return: the PDF is stored, the round ends, the record is written."""
        for claim in held[:]:
            held.remove(claim)
            artifact = api.artifacts.reserve()
            jobs_row = {**claim.row, "artifact_id": artifact}
            api.db.execute("UPDATE pdf_job_results SET artifact_id=%s WHERE job_id=%s", (artifact, claim.job_id))
            api.artifacts.put(artifact, "x.pdf", b"%PDF-1.7 late", replace=False, labels={})
            rounds.finish(api.db, jobs_row, "completed", outcome="completed")
            for delivery in deliveries.of_job(api.db, claim.job_id):
                api.documents.record_end(deliveries.end_of(delivery))

    meanwhile(api, comes_in, monkeypatch)
    erased = erasure.erase(api.db, api.documents, api.artifacts, "K1", by="test", pause=worker_ends)
    worker_ends()
    assert (erased.jobs, erased.records) == (2, 2)
    assert pdfs(api) == []
    assert "'K1'" not in everything(api)


def test_a_callback_that_is_taken_up_meanwhile_is_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = finished(api, told=False)
    delivery = deliveries.of_job(api.db, job_id)[0]
    held: list[deliveries.DeliveryClaim] = []

    def taken_up() -> None:
        claim = deliveries.claim(api.db, delivery["delivery_id"], worker_id="w", lease=60, timeout=60)
        assert isinstance(claim, deliveries.DeliveryClaim)
        held.append(claim)

    def worker_ends(_: float = 0) -> None:
        for claim in held[:]:
            held.remove(claim)
            api.documents.record_end(deliveries.end_of(claim.row))
            deliveries.end(api.db, claim.row, "recorded")

    meanwhile(api, taken_up, monkeypatch)
    erased = erasure.erase(api.db, api.documents, api.artifacts, "K1", by="test", pause=worker_ends)
    worker_ends()
    assert (erased.jobs, erased.records) == (1, 1)
    assert "'K1'" not in everything(api)


def test_submissions_without_end_are_told_of(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    ends_of = api.documents.ends_of

    def reading(code: str, product_id: str | None) -> list[End]:
        finished(api)
        return ends_of(code, product_id)

    monkeypatch.setattr(api.documents, "ends_of", reading)
    with pytest.raises(erasure.StillAtWork, match="keep coming"):
        erasure.erase(api.db, api.documents, api.artifacts, "K1", by="test")


def test_a_letter_in_a_relays_hands_leaves_a_shell_for_its_copy(api: Api) -> None:
    job_id = finished(api, "failed", hours_ago=0)
    letter = letters.open_of_job(api.db, job_id)[0]["dead_letter_id"]
    api.db.execute(
        f"UPDATE dead_letters SET relay_token='t', relay_until={api.db.later(-60)} WHERE dead_letter_id=%s", (letter,)
    )
    erasure.erase(api.db, api.documents, api.artifacts, "K1", by="test")
    shell = letters.find(api.db, letter)
    assert shell is not None
    assert (shell["status"], shell["code"]) == ("discarded", None)
    assert letters.to_sweep(api.db) == {"pdf": {letter}}


def test_the_audit_of_bulk_replays_does_not_keep_the_code(api: Api) -> None:
    """Neither what is noted today nor what an earlier release has noted."""
    finished(api, "failed", hours_ago=0)
    audit.note(api.db, "test", "bulk_replay", "queue=pdf code=K1 product_id=p")
    audit.note(api.db, "test", "bulk_discard", "code=K12")
    replay_matching(api.db, LetterFilter(code="K1", queue="pdf"), Manner(by="test", trial=0))
    assert audit.subject_of("K1") in api.db.scalar("SELECT subject FROM audit WHERE act='bulk_replay' ORDER BY id DESC")
    erasure.erase(api.db, api.documents, api.artifacts, "K1", by="test")
    subjects = [
        row["subject"]
        for row in api.db.fetch_all("SELECT subject FROM audit WHERE act<>'erase' AND act<>'replay' ORDER BY id")
    ]
    hashed = audit.subject_of("K1")
    assert subjects == [f"queue=pdf {hashed} product_id=p", "code=K12", f"queue=pdf {hashed}"]
