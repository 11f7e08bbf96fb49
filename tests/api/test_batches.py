"""Batches over HTTP: how one stands, its results page by page, cancel, replay, and every PDF in one archive."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.deliver.bodies import batch_body
from actors.desk import erasure
from ops.commands import story
from schema.errors import DependencyDown
from schema.life import retention, rounds
from schema.rows import batches, deliveries, jobs, letters
from schema.rows.columns import JobEnd
from service.parts import ApiParts
from service.routes import batches as routes
from service.waiters import WaiterBoard
from tests.api.conftest import BODY, Api

PATH = "/api/reports/batch"
HOOK = "https://hooks.example/webhook/batch"


def submit(api: Api, count: int = 3, *, each: dict[str, Any] | None = None, **about: Any) -> tuple[str, list[str]]:
    """A batch of `count` jobs with codes K0, K1 …"""
    wanted = [{**BODY, "code": f"K{n}", **(each or {})} for n in range(count)]
    answer = api.post(PATH, {"jobs": wanted, **about})
    assert answer.status_code == 202, answer.text
    return answer.json["batch_id"], [job["job_id"] for job in answer.json["jobs"]]


def finish(api: Api, job_id: str, status: JobEnd = "completed", pdf: bytes = b"%PDF-1.7 done") -> None:
    """The job's round ends, as a worker would end it, its permanent record written."""
    held = jobs.claim(api.db, job_id, worker_id="w", lease=20, timeout=300)
    assert isinstance(held, jobs.Claim)
    if status == "completed":
        held.row["artifact_id"] = api.artifacts.reserve()
        api.artifacts.put(held.row["artifact_id"], "x.pdf", pdf, replace=False, labels={})
        api.db.execute("UPDATE pdf_job_results SET artifact_id=%s WHERE job_id=%s", (held.row["artifact_id"], job_id))
    failure = rounds.Failure("invalid_data", "At name: missing.") if status == "failed" else None
    link = f"http://x/{job_id}" if status == "completed" else None
    assert rounds.finish(
        api.db, held.row, status, outcome="failed" if failure else "completed", link=link, failure=failure
    )
    api.documents.record_end(deliveries.end_of(deliveries.of_job(api.db, job_id)[0]))


def test_a_batch_is_found_by_its_id_from_submission_to_end(api: Api) -> None:
    batch_id, ids = submit(api, callback=HOOK, meta={"n": 1})
    path = f"/api/batches/{batch_id}"
    found = api.get(path).json
    assert (found["status"], found["round"], found["position_in_queue"]) == ("open", 1, 1)
    assert found["counts"] == {"total": 3, "queued": 3, "processing": 0, "completed": 0, "failed": 0, "cancelled": 0}
    assert found["webhook"]["state"] == "not_due"
    assert found["estimated_completion"] > found["created_at"]
    assert [one["job_id"] for one in found["results"]] == ids
    held = jobs.claim(api.db, ids[0], worker_id="w", lease=20, timeout=300)
    assert isinstance(held, jobs.Claim)
    found = api.get(path).json
    assert (found["counts"]["queued"], found["counts"]["processing"], found["position_in_queue"]) == (2, 1, 0)
    assert rounds.give_back(api.db, held.row) == "returned"
    finish(api, ids[0])
    finish(api, ids[1], "failed")
    assert api.post(f"{path}/cancel").json == {
        "batch_id": batch_id, "cancelled": 1, "cancel_requested": 0, "too_late": 0,
    }  # fmt: skip
    answer = api.get(path)
    found = answer.json
    assert (found["status"], found["position_in_queue"], found["estimated_completion"]) == ("ended", None, None)
    assert found["counts"] == {"total": 3, "queued": 0, "processing": 0, "completed": 1, "failed": 1, "cancelled": 1}
    assert [one["status"] for one in found["results"]] == ["completed", "failed", "cancelled"]
    assert found["results"][1]["error"]["next_step"]
    assert found["results"][0]["google_drive_link"] == f"http://x/{ids[0]}"
    assert (found["webhook"]["state"], found["ended_at"] is not None) == ("pending", True)
    assert "retry-after" not in answer.headers
    [delivery] = api.get(f"/api/jobs/{batch_id}/deliveries").json["deliveries"]
    assert (delivery["event"], delivery["state"]) == ("batch", "pending")
    assert api.get("/api/jobs").json["jobs"][0]["job_id"] == ids[2]


def test_batches_are_listed_newest_first_page_by_page(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_PAGE", 2)
    assert api.get("/api/batches").json == {"batches": [], "next_cursor": None}
    ids = sorted((submit(api, 2)[0] for _ in range(5)), reverse=True)
    finish(api, batches.member(ids[0], 0), "failed")
    found, cursor = [], ""
    while cursor is not None:
        page = api.get("/api/batches", params={"cursor": cursor} if cursor else {}).json
        found += page["batches"]
        cursor = page["next_cursor"]
    assert [one["batch_id"] for one in found] == ids
    assert {name: found[0][name] for name in ("status", "round", "total", "open", "failed", "ended_at")} == {
        "status": "open", "round": 1, "total": 2, "open": 1, "failed": 1, "ended_at": None,
    }  # fmt: skip
    for wrong in ("bat_x", ids[0].lower(), "pdf_01M8GH002A2WQHXZ1J3JDSBVZ9", f"{ids[0]}\n"):
        answer = api.get("/api/batches", params={"cursor": wrong})
        assert (answer.status_code, answer.json["errors"]) == (422, {"cursor": "is not a cursor of this list"})
    assert api.get("/api/batches?limit=1").status_code == 422


def test_each_job_names_its_batch_as_long_as_anything_knows_the_job(api: Api) -> None:
    (batch_id, [job_id]), alone = submit(api, 1), api.submit(code="K0")

    def named() -> list[str | None]:
        listed = {one["job_id"]: one["batch_id"] for one in api.get("/api/jobs?code=K0").json["jobs"]}
        assert listed == {one: api.get(f"/api/jobs/{one}").json["batch_id"] for one in (alone, job_id)}
        return [listed[alone], listed[job_id]]

    assert named() == [None, batch_id]
    finish(api, job_id)
    finish(api, alone)
    for rows in (1, 0):
        assert named() == [None, batch_id]
        end = api.documents.find_end(job_id)
        assert end is not None
        told = story.of_job(api.db, api.row(job_id), {"pdf": [], "webhooks": []}) if rows else story.of_end(end)
        assert f"in batch {batch_id}" in told[0].lines
        api.db.transaction(lambda: retention.remove(api.db, [job_id, alone]))


def test_the_answer_says_where_it_is_found_and_a_repetition_is_the_same_batch(api: Api) -> None:
    body = {"jobs": [BODY, BODY], "callback": HOOK}
    answers = [api.post(PATH, body, headers={"Idempotency-Key": "b"}) for _ in range(2)]
    assert answers[0].json["batch_id"] == answers[1].json["batch_id"]
    assert {answer.headers["location"] for answer in answers} == {f"/api/batches/{answers[0].json['batch_id']}"}
    assert answers[1].headers["idempotent-replayed"] == "true"
    other = api.post(PATH, {**body, "callback": f"{HOOK}/2"}, headers={"Idempotency-Key": "b"})
    assert other.json["code"] == "idempotency_key_reused"
    assert api.db.scalar("SELECT COUNT(*) FROM batches") == 1
    assert api.post(PATH, body).json["batch_id"] != answers[0].json["batch_id"]


def test_jobs_of_a_release_before_batches_are_answered_to_their_key(api: Api) -> None:
    body = {"jobs": [BODY, BODY]}
    first = api.post(PATH, body, headers={"Idempotency-Key": "b"}).json
    api.db.execute("UPDATE pdf_job_results SET batch_id=NULL")
    again = api.post(PATH, body, headers={"Idempotency-Key": "b"})
    assert (again.json["batch_id"], "location" in again.headers) == (None, False)
    assert [job["job_id"] for job in again.json["jobs"]] == [job["job_id"] for job in first["jobs"]]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"callback": "ftp://hooks.example"}, "callback"), ({"failureCallback": "http://10.0.0.1/x"}, "failureCallback"),
        ({"meta": "x" * 9000}, "meta"), ({"meta": "\0"}, "meta"), ({"callback": 7}, "callback"),
        ({"call_back": HOOK}, "call_back"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_batch_itself_is_named(api: Api, wrong: dict[str, Any], field: str) -> None:
    answer = api.post(PATH, {"jobs": [BODY], **wrong})
    assert answer.status_code in (400, 422)
    assert field in answer.text
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == api.db.scalar("SELECT COUNT(*) FROM batches") == 0


def test_results_come_page_by_page_in_order_of_submission(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_PAGE", 4)
    batch_id, ids = submit(api, 10)
    finish(api, ids[5])
    seen, cursor, pages = [], "", 0
    while cursor is not None:
        page = api.get(f"/api/batches/{batch_id}", params={"cursor": cursor} if cursor else {}).json
        seen += [one["job_id"] for one in page["results"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert (seen, pages) == (ids, 3)
    assert api.get(f"/api/batches/{batch_id}?cursor=99999").json["results"] == []
    for cursor in ("x", "-1", "1e3", "123456", ""):
        answer = api.get(f"/api/batches/{batch_id}", params={"cursor": cursor})
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["cursor"]), cursor


def test_cleaned_jobs_are_told_from_their_records_and_erased_ones_are_left_out(api: Api) -> None:
    batch_id, ids = submit(api, 3)
    for one, status in zip(ids, ("completed", "failed", "completed"), strict=True):
        finish(api, one, status)  # type: ignore[arg-type]
    before = api.get(f"/api/batches/{batch_id}").json
    api.db.transaction(lambda: retention.remove(api.db, ids[:2]))
    assert api.get(f"/api/batches/{batch_id}").json == before
    api.documents.forget("K0", "p")
    assert [one["job_id"] for one in api.get(f"/api/batches/{batch_id}").json["results"]] == ids[1:]


def test_whoever_waits_is_answered_when_the_last_job_has_ended(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_id, ids = submit(api, 2)
    finish(api, ids[0])
    waited = []
    honest = batches.find

    def find(db: Any, key: str) -> Any:
        """The first look is over: now, while the caller waits, the last job ends."""
        row = honest(db, key)
        if not waited:
            waited.append(key)
            finish(api, ids[1])
        return row

    monkeypatch.setattr(routes.batches, "find", find)
    answer = api.get(f"/api/batches/{batch_id}", headers={"Prefer": "wait=30"})
    assert answer.json["status"] == "ended"
    assert answer.headers["preference-applied"] == "wait=30"
    assert api.get(f"/api/batches/{batch_id}", headers={"Prefer": "wait=x"}).json["code"] == "invalid_header"


def test_whoever_waits_for_an_open_batch_goes_on_waiting(api: Api) -> None:
    (open_, _), (ended, _) = submit(api), submit(api)
    api.post(f"/api/batches/{ended}/cancel")
    waiters = {threading.Event(): key for key in (open_, ended, api.submit(), "bat_none")}
    WaiterBoard(api.db, 10)._look(waiters)
    assert [event.is_set() for event in waiters] == [False, True, False, True]


def test_cancelling_takes_all_that_it_can(api: Api) -> None:
    batch_id, ids = submit(api, 4, callback=HOOK)
    finish(api, ids[0])
    for one in ids[1:3]:
        assert isinstance(jobs.claim(api.db, one, worker_id="w", lease=20, timeout=300), jobs.Claim)
    api.db.execute(f"UPDATE pdf_job_results SET upload_started_at={api.db.now()} WHERE job_id=%s", (ids[2],))
    answer = api.post(f"/api/batches/{batch_id}/cancel")
    assert (answer.status_code, answer.json) == (
        202, {"batch_id": batch_id, "cancelled": 1, "cancel_requested": 1, "too_late": 1},
    )  # fmt: skip
    assert deliveries.of_job(api.db, batch_id) == []
    whole, _ = submit(api, 3, callback=HOOK)
    assert api.post(f"/api/batches/{whole}/cancel").status_code == 200
    assert api.get(f"/api/batches/{whole}").json["status"] == "ended"
    assert len(deliveries.of_job(api.db, whole)) == 1
    again = api.post(f"/api/batches/{whole}/cancel")
    assert (again.status_code, again.json["code"]) == (409, "already_ended")


def test_replaying_takes_what_failed_and_may_tell_another_url(api: Api) -> None:
    batch_id, ids = submit(api, 3, callback=HOOK)
    path = f"/api/batches/{batch_id}"
    finish(api, ids[0])
    assert api.post(f"{path}/replay").json["code"] == "not_replayable"
    finish(api, ids[1], "failed")
    finish(api, ids[2], "failed")
    assert api.get(path).json["status"] == "ended"
    answer = api.post(f"{path}/replay", {"callback": f"{HOOK}/2", "why": "mended"})
    assert (answer.status_code, answer.json) == (202, {"batch_id": batch_id, "round": 2, "replayed": 2})
    assert answer.headers["location"] == path
    found = api.get(path).json
    assert (found["status"], found["round"], found["counts"]["queued"], found["counts"]["failed"]) == ("open", 2, 2, 0)
    for one in ids[1:]:
        finish(api, one)
    told = deliveries.of_job(api.db, batch_id)
    assert [(row["round"], row["status"], row["url"]) for row in told] == [
        (2, "queued", f"{HOOK}/2"), (1, "superseded", HOOK),
    ]  # fmt: skip
    assert api.post(f"{path}/replay", {"callback": f"{HOOK}/3"}).json["code"] == "not_replayable"
    assert api.db.scalar("SELECT callback FROM batches") == f"{HOOK}/2", "what was refused has changed nothing"
    assert api.post(f"{path}/replay", {"callback": "http://10.0.0.1/"}).json["code"] == "callback_refused"


@pytest.mark.parametrize(
    "call", [("GET", ""), ("GET", "/download"), ("POST", "/cancel"), ("POST", "/replay"), ("GET", "?cursor=7")]
)
def test_what_is_no_batch_is_not_found(api: Api, call: tuple[str, str]) -> None:
    method, rest = call
    job_id = api.submit()
    for name in ("bat_none", job_id, job_id.replace("pdf_", "bat_"), "bat_" + "Z" * 26, "%00", "bat_é"):
        answer = api.client.simulate_request(method, f"/api/batches/{name}{rest}", host="127.0.0.1")
        assert (answer.status_code, answer.json["code"]) == (404, "batch_not_found"), name


def test_lists_stories_and_replays_know_a_batchs_callback(api: Api) -> None:
    batch_id, ids = submit(api, 1, callback=HOOK)
    finish(api, ids[0])
    [row] = deliveries.of_job(api.db, batch_id)
    claim = deliveries.claim(api.db, row["delivery_id"], worker_id="w", lease=20, timeout=60)
    assert isinstance(claim, deliveries.DeliveryClaim)
    api.db.transaction(
        lambda: (
            deliveries.end(api.db, claim.row, "dead", code="webhook_gone")
            and letters.bury_delivery(api.db, claim.row, "webhook_gone", "It is gone.")
        )
    )
    [letter] = api.get("/api/dead-letters?view=letters").json["letters"]
    assert (letter["job_id"], letter["kind"], letter["code"]) == (batch_id, "delivery", None)
    assert api.get("/api/dead-letters").json["groups"][0]["example"]["job_id"] == batch_id
    assert api.get(f"/api/dead-letters/{letter['dead_letter_id']}").json["job_id"] == batch_id
    assert api.get(f"/api/batches/{batch_id}").json["webhook"]["state"] == "dead"
    told = story.of_job(api.db, jobs.find(api.db, ids[0]), {"pdf": [], "webhooks": []})  # type: ignore[arg-type]
    assert f"in batch {batch_id}" in told[0].lines
    done = api.post("/api/dead-letters/replay", {"ids": [letter["dead_letter_id"]]}).json
    assert done["outcomes"] == {"replayed": 1}
    assert deliveries.of_job(api.db, batch_id)[0]["status"] == "queued"
    path = f"/api/jobs/{batch_id}/deliveries/{row['delivery_id']}/resend"
    assert api.post(path).status_code == 202


def test_an_erased_job_is_in_no_callback_of_its_batch(api: Api) -> None:
    batch_id, ids = submit(api, 2, callback=HOOK)
    finish(api, ids[1])
    assert erasure.erase(api.db, api.documents, api.artifacts, "K0", by="t").jobs == 1
    found = api.get(f"/api/batches/{batch_id}").json
    assert (found["status"], found["counts"]["cancelled"], found["counts"]["total"]) == ("ended", 1, 2)
    assert [one["job_id"] for one in found["results"]] == ids[1:]
    [row] = deliveries.of_job(api.db, batch_id)
    body = batch_body(api.db, api.documents, row, "http://x")
    assert body is not None
    assert b'"K1"' in body
    assert b"K0" not in body


# -- every PDF in one archive -------------------------------------------------------------------------------------


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} <= {zipfile.ZIP_STORED}
        names = archive.namelist()
        assert len(set(names)) == len(names)
        return {name: archive.read(name) for name in names}


def test_every_pdf_comes_in_one_archive_and_what_has_none_is_named(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_PAGE", 2)
    batch_id, ids = submit(api, 5)
    path = f"/api/batches/{batch_id}/download"
    answer = api.get(path)
    assert (answer.status_code, answer.json["code"], answer.headers["retry-after"]) == (409, "not_ready", "2")
    pdfs = [b"%PDF-1.7 one", b"%PDF-1.7 " + bytes(range(256)) * 4000, b"%PDF-1.7 lost"]
    for one, pdf in zip(ids, pdfs, strict=False):
        finish(api, one, pdf=pdf)
    finish(api, ids[3], "failed")
    api.post(f"/api/batches/{batch_id}/cancel")
    api.artifacts.delete(api.row(ids[2])["artifact_id"])
    answer = api.get(path)
    assert answer.headers["content-type"] == "application/zip"
    assert f'filename="{batch_id}.zip"' in answer.headers["content-disposition"]
    found = unzipped(answer.content)
    missing = found.pop("missing.txt").decode().splitlines()
    assert found == {f"K{n}-p-{ids[n]}.pdf": pdfs[n] for n in range(2)}
    assert missing == [
        f"{ids[2]} K2 p: artifact_gone", f"{ids[3]} K3 p: invalid_data", f"{ids[4]} K4 p: cancelled",
    ]  # fmt: skip
    api.db.transaction(lambda: retention.remove(api.db, ids))
    assert unzipped(api.get(path).content).keys() == {*found, "missing.txt"}, "from the permanent records"


def test_names_of_files_are_harmless_and_unique(api: Api) -> None:
    odd = ["../../etc/passwd", "a\\b:c*?", "日本語 naïve", "x" * 255, "same", "same", "."]
    answer = api.post(PATH, {"jobs": [{**BODY, "code": code} for code in odd]})
    for job in answer.json["jobs"]:
        finish(api, job["job_id"])
    found = unzipped(api.get(f"/api/batches/{answer.json['batch_id']}/download").content)
    assert len(found) == len(odd)
    assert not [name for name in found if set(name) & set('/\\:*?"<>| \0') or name.startswith("..-")]
    assert all(len(name.encode()) <= 255 and name.endswith(".pdf") for name in found)


def test_a_store_that_does_not_answer_is_told_before_the_archive_begins(api: Api) -> None:
    batch_id, ids = submit(api, 2)
    for one in ids:
        finish(api, one)

    def away(artifact_id: str) -> Iterator[bytes]:
        raise DependencyDown("drive", "away")
        yield b""

    api.artifacts.read = away  # type: ignore[method-assign]
    answer = api.get(f"/api/batches/{batch_id}/download")
    assert (answer.status_code, answer.json["code"]) == (503, "storage_unavailable")


def test_an_archive_holds_one_piece_at_a_time_and_lets_go_of_the_files(api: Api) -> None:
    batch_id, ids = submit(api, 3)
    for one in ids:
        finish(api, one)
    open_now, most = set(), []

    class Chunks:
        def __init__(self, artifact_id: str) -> None:
            self.left, self.name = 50, artifact_id
            open_now.add(artifact_id)

        def __iter__(self) -> Chunks:
            return self

        def __next__(self) -> bytes:
            most.append(len(open_now))
            self.left -= 1
            if self.left < 0:
                raise StopIteration
            return b"x" * 10_000

        def close(self) -> None:
            open_now.discard(self.name)

    api.artifacts.read = Chunks  # type: ignore[method-assign, assignment]
    row = batches.find(api.db, batch_id)
    assert row is not None
    parts = ApiParts(api.settings, api.db, api.documents, api.artifacts, wake=lambda: None, broker_ping=lambda: None)
    route = routes.Batches(parts, None, None)  # type: ignore[arg-type]
    sizes = [len(piece) for piece in route._archived(row, api.db.clock())]
    assert (max(most), open_now) == (1, set())
    assert max(sizes) < 25_000
    assert sum(sizes) > 3 * 50 * 10_000
    begun = route._archived(row, api.db.clock())
    next(begun)
    begun.close()  # the caller has gone away
    assert open_now == set()


def test_an_archive_of_the_largest_batch_is_bounded_by_setting(api_of: Callable[..., Api]) -> None:
    api = api_of(max_batch=5)
    assert api.post(PATH, {"jobs": [BODY] * 6}).json["code"] == "batch_too_large"
    batch_id, _ = submit(api, 5)
    assert api.get(f"/api/batches/{batch_id}").json["counts"]["total"] == 5
