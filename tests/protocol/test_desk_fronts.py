"""The desk's two fronts, API and command line, over the same functions. On both databases."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from falcon import testing

from schema.callbacks.urls import lane_key
from schema.documents.tables import TableDocuments
from schema.errors import Permanent
from schema.ports import End
from schema.rows import leadership, pauses, workers
from service.app import ApiParts, create_app
from tests.command_line import Command, command_line
from tests.protocol.kit import World, answer
from tests.protocol.test_batches import submit as submit_batch
from tests.receiver import Receiver

HOOK = "https://hooks.example/webhook/pdf-complete"
RESUME = "https://hooks.example/webhook-waiting/17?signature=0123456789abcdef"


@pytest.fixture
def api(world: World) -> testing.TestClient:
    parts = ApiParts(
        settings=world.runtime.settings,
        db=world.db,
        documents=world.reports,
        artifacts=world.files,
        wake=lambda: None,
        broker_ping=lambda: None,
    )
    return testing.TestClient(create_app(parts), headers={"Host": "127.0.0.1"})


@pytest.fixture
def reportq(
    world: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """The command line in this process: exit code and what it printed."""
    url = (
        request.getfixturevalue("sqlite_file")
        if world.db.dialect == "sqlite"
        else request.getfixturevalue("mariadb").url
    )
    monkeypatch.setenv("REPORTQ_DATABASE_URL", url)
    monkeypatch.setenv("REPORTQ_RUN_DIR", world.runtime.settings.run_dir)
    monkeypatch.setenv("REPORTQ_SWITCH_POLL", "0.05")
    return command_line(monkeypatch, capsys)


def bury(world: World, count: int = 1, **job: Any) -> list[str]:
    before = world.pen.work

    def work(*_: Any) -> bytes:
        raise Permanent("Field 'a' is missing.", code="invalid_data")

    world.pen.work = work
    ids = [world.submit(**job) for _ in range(count)]
    world.run()
    world.pen.work = before
    return ids


# -- API --------------------------------------------------------------------------------------------------------


def test_api_lists_shows_and_replays(world: World, api: testing.TestClient) -> None:
    ids = bury(world, 3, code="K1")
    listed = api.simulate_get("/api/dead-letters?code=K1").json
    group = listed["groups"][0]
    assert (listed["total"], group["count"], group["error_code"]) == (3, 3, "invalid_data")
    assert listed["took_ms"] < 2000
    letter = group["example"]["dead_letter_id"]
    shown = api.simulate_get(f"/api/dead-letters/{letter}").json
    assert "Field 'a' is missing." in shown["traceback"]
    assert api.simulate_get("/api/dead-letters?view=letters&job_id=" + ids[0]).json["letters"][0]["job_id"] == ids[0]

    refused = api.simulate_post("/api/dead-letters/replay", json={})
    dry = api.simulate_post("/api/dead-letters/replay", json={"filter": {}, "dry_run": True}).json
    done = api.simulate_post("/api/dead-letters/replay", json={"ids": [letter], "why": "data mended"}).json
    rest = api.simulate_post("/api/dead-letters/replay", json={"filter": {"job_ids": ids}}).json
    world.run()

    assert refused.status_code == 422
    assert (dry["outcomes"], done["outcomes"], rest["outcomes"]) == (
        {"replayed": 3}, {"replayed": 1}, {"replayed": 2},
    )  # fmt: skip
    assert [world.job(job)["status"] for job in ids] == ["completed"] * 3


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/dead-letters?sicne=2h", 422),
        ("/api/dead-letters?since=soon", 422),
        ("/api/dead-letters?status=lost", 422),
        ("/api/dead-letters?view=all", 422),
        ("/api/dead-letters/dl_none", 404),
        ("/api/jobs/pdf_none/deliveries", 404),
    ],
)
def test_api_refuses_with_a_sentence(api: testing.TestClient, path: str, status: int) -> None:
    answer_ = api.simulate_get(path)
    assert answer_.status_code == status
    assert answer_.json["next_step"]


def test_api_discards(world: World, api: testing.TestClient) -> None:
    bury(world, 2)
    assert api.simulate_post("/api/dead-letters/discard", json={"filter": {}}).json["outcomes"] == {"discarded": 2}
    assert api.simulate_get("/api/dead-letters").json["total"] == 0


def test_api_pauses_and_resumes_a_queue(world: World, api: testing.TestClient) -> None:
    paused = api.simulate_post("/api/queues/pdf/pause", json={"why": "template change"})
    assert (paused.json["state"], paused.json["paused"]["reason"]) == ("paused", "template change")
    job_id = world.submit()
    assert world.relay() == []
    world.hint(job_id)
    queue = api.simulate_get("/api/queues").json["queues"][0]
    assert (queue["name"], queue["depth"], queue["processing"]) == ("pdf", 1, 0)
    assert queue["oldest_age"] >= 0
    assert api.simulate_post("/api/queues/pdf/resume").json["state"] == "running"
    world.run()
    assert world.job(job_id)["status"] == "completed"
    assert api.simulate_post("/api/queues/nothing/pause").status_code == 404


def test_api_shows_an_outage_of_a_queue(world: World, api: testing.TestClient) -> None:
    pauses.pause(world.db, "dependency:drive", reason="Drive is away.", by=pauses.OUTAGE, seconds=5)
    queue = api.simulate_get("/api/queues").json["queues"][0]
    assert (queue["state"], [o["scope"] for o in queue["outages"]]) == ("running", ["dependency:drive"])


def test_api_delivery_log_hides_the_resume_url_and_resends(world: World, api: testing.TestClient) -> None:
    job_id = world.submit(callback=RESUME)
    world.mouth.answers = [answer(410)]
    world.run()
    path = f"/api/jobs/{job_id}/deliveries"
    told = api.simulate_get(path)
    log = told.json["deliveries"][0]
    assert "0123456789abcdef" not in told.text
    assert (log["state"], log["attempts"][0]["status"], log["url"]) == (
        "dead", 410, "https://hooks.example/webhook-waiting/…?signature=…",
    )  # fmt: skip

    assert api.simulate_post(f"{path}/{log['delivery_id']}/resend").status_code == 202
    world.run()
    assert api.simulate_get(path).json["deliveries"][0]["state"] == "delivered"
    refused = api.simulate_post(f"{path}/{log['delivery_id']}/resend", json={"force": True})
    assert (refused.status_code, refused.json["code"]) == (409, "not_resendable")
    assert api.simulate_post(f"/api/jobs/pdf_other/deliveries/{log['delivery_id']}/resend").status_code == 404


def test_api_forces_a_delivered_one(world: World, api: testing.TestClient) -> None:
    job_id = world.submit(callback=HOOK)
    world.run()
    path = f"/api/jobs/{job_id}/deliveries/{world.delivery(job_id)['delivery_id']}/resend"
    assert api.simulate_post(path).json["code"] == "needs_force"
    assert api.simulate_post(path, json={"force": True}).status_code == 202


def test_a_replay_with_a_spent_resume_url_is_told_by_the_status_and_the_record(
    world: World, api: testing.TestClient
) -> None:
    """DESIGN §2.11: the workflow was resumed by the failure; resuming it again could wake a later Wait node."""
    job_id = bury(world, callback=RESUME)[0]
    assert world.delivery(job_id)["status"] == "delivered"
    assert api.simulate_post("/api/dead-letters/replay", json={"filter": {"job_ids": [job_id]}}).status_code == 200
    world.run()

    told = api.simulate_get(f"/api/jobs/{job_id}").json

    assert (told["status"], told["webhook"]["state"]) == ("completed", "not_sent")
    assert "replay with a new callback" in told["webhook"]["hint"]
    assert world.reports.ends[-1].callback == "not_sent"
    assert len(world.mouth.posts) == 1
    assert world.letters(job_id) == []


# -- command line -----------------------------------------------------------------------------------------------


def test_command_line_lists_shows_replays_and_discards(world: World, reportq: Command) -> None:
    ids = bury(world, 3, code="K1")
    code, shown = reportq("dead-letters", "list", "--json")
    listed = json.loads(shown)
    assert (code, listed["total"], listed["groups"][0]["count"]) == (0, 3, 3)
    assert "3 letters in 1 group (" in reportq("dead-letters", "list", "--since", "2h")[1]
    letter = listed["groups"][0]["example"]["dead_letter_id"]
    assert "Field 'a' is missing." in reportq("dead-letters", "show", letter)[1]

    assert reportq("dead-letters", "replay", "--all", "--dry-run")[0] == 0
    assert reportq("dead-letters", "replay", letter, "--why", "mended")[0] == 0
    assert reportq("dead-letters", "replay", letter)[0] == 1
    assert json.loads(reportq("dead-letters", "replay", ids[0], "--json")[1])["outcomes"] == {"replayed": 1}
    assert reportq("dead-letters", "discard", "--code", "K1", "--yes", "--why", "a test import")[0] == 0
    assert reportq("dead-letters", "replay")[0] == 2
    assert reportq("dead-letters", "show", "dl_none")[0] == 1


def test_command_line_says_that_the_first_ones_have_not_ended(world: World, reportq: Command) -> None:
    bury(world, 8)
    code, shown = reportq("dead-letters", "replay", "--all", "--yes", "--patience", "0")
    assert code == 3
    assert "have not ended yet" in shown


def test_command_line_says_what_became_of_a_replay(world: World, reportq: Command) -> None:
    """Dry: nothing changed. Without workers: nobody knows. With one: jobs that fail again are open, and no success."""
    letters = [world.letters(job)[0]["dead_letter_id"] for job in bury(world, 3)]
    assert (
        "Of 3 open letters 3 would be replayed. Nothing was changed."
        in (reportq("dead-letters", "replay", "--all", "--dry-run")[1])
    )
    code, shown = reportq("dead-letters", "replay", letters[0])
    assert code == 0
    assert "1 has not ended yet; ops/reportq dead-letters list shows what fails again" in shown
    world.run()

    def work(*_: Any) -> bytes:
        raise Permanent("Field 'a' is missing.", code="invalid_data")

    world.pen.work = work
    workers.seen(world.db, workers.Card("w1", "pdf", "here", 1, 1, "1"), 0)
    done = threading.Event()

    def worker() -> None:
        while not done.wait(0.05):
            world.run()

    serving = threading.Thread(target=worker)
    serving.start()
    try:
        code, shown = reportq("dead-letters", "replay", "--all", "--yes")
    finally:
        done.set()
        serving.join()
    assert "2 replayed; 2 failed again; 2 of 2 remain open." in shown
    assert code == 3


def test_command_line_names_commands_not_requests(world: World, reportq: Command) -> None:
    for arguments, code, instead in (
        (("dead-letters", "list", "--since", "yesterday"), 2, "write 2h, 30m, 1d or"),
        (("dead-letters", "show", "dl_nope"), 1, "ops/reportq dead-letters list --letters"),
        (("queues", "pause", "foo"), 1, "ops/reportq queues list"),
        (("webhooks", "resend", "dlv_nope"), 1, "ops/reportq webhooks log JOB_ID"),
        (("jobs", "show", "pdf_nope"), 1, "ops/reportq jobs list"),
    ):
        ended, shown = reportq(*arguments)
        assert (ended, instead in shown) == (code, True), shown
        assert "/api/" not in shown
        assert "`errors`" not in shown


def test_command_line_says_which_database_it_read(world: World, reportq: Command) -> None:
    shown = reportq("status")[1]
    url = world.db.path if world.db.dialect == "sqlite" else "mysql://reportq:…@127.0.0.1:"
    assert f"database: {'sqlite:///' if world.db.dialect == 'sqlite' else ''}{url}" in shown
    bury(world)
    assert "Open dead letters: 1." in reportq("status")[1]


def test_command_line_with_a_wrong_password_is_one_sentence(
    world: World, reportq: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    if world.db.dialect == "sqlite":
        return
    url = urlsplit(os.environ["REPORTQ_DATABASE_URL"])
    monkeypatch.setenv("REPORTQ_DATABASE_URL", f"mysql://reportq:hunter2@127.0.0.1:{url.port}/reportq")
    code, shown = reportq("jobs", "list")
    assert code == 4
    assert "Access denied" in shown
    assert len(shown.splitlines()) == 1
    assert "hunter2" not in shown


def test_command_line_pauses_drains_and_resumes(world: World, reportq: Command) -> None:
    assert reportq("queues", "pause", "pdf", "--why", "new template")[0] == 0
    world.submit()
    assert world.relay() == []
    assert "new template" in reportq("queues", "list")[1]
    assert reportq("queues", "resume", "pdf")[0] == 0
    hint = world.relay()[0]
    drained: list[tuple[int, str]] = []
    world.pen.work = lambda *_: drained.append(reportq("queues", "drain", "pdf", "--timeout", "0.1")) or b"%PDF-1"  # type: ignore[func-returns-value]
    world.hint(hint)
    assert (drained[0][0], reportq("queues", "drain", "pdf")[0]) == (3, 0)
    assert reportq("queues", "pause", "nothing")[0] == 1


def test_command_line_shows_and_cancels_and_replays_jobs(world: World, reportq: Command) -> None:
    job_id = world.submit(callback=RESUME)
    assert json.loads(reportq("jobs", "show", job_id, "--json")[1])["status"] == "queued"
    assert job_id in reportq("jobs", "list", "--status", "queued", "--json")[1]
    assert reportq("jobs", "cancel", job_id)[0] == 0
    world.run()
    assert "0123456789abcdef" not in reportq("jobs", "show", job_id)[1]
    assert reportq("jobs", "replay", job_id)[0] == 0
    assert reportq("jobs", "replay", job_id)[0] == 1
    assert reportq("jobs", "show", "pdf_none")[0] == 1
    assert json.loads(reportq("status", "--json")[1])["jobs"] == {"queued": 1}
    assert "queued 1" in reportq("status")[1]


def test_command_line_lists_shows_cancels_and_replays_batches(world: World, reportq: Command) -> None:
    batch_id, ids = submit_batch(world, "gone", "K1", "K2")
    world.reports.missing.add("gone")
    world.hint(ids[0])
    world.hint(ids[1])
    listed = reportq("batches", "list")[1]
    assert batch_id in listed
    [found] = json.loads(reportq("batches", "list", "--json")[1])["batches"]
    assert [found[name] for name in ("status", "total", "open", "completed", "failed")] == ["open", 3, 1, 1, 1]
    code, shown = reportq("batches", "show", batch_id)
    assert code == 0
    assert [shown.index(job_id) for job_id in ids] == sorted(shown.index(job_id) for job_id in ids)
    assert "report_not_found" in shown
    assert ids[2] not in reportq("batches", "show", batch_id, "--status", "failed")[1]
    assert reportq("batches", "cancel", batch_id)[1].startswith("1 job cancelled")
    assert json.loads(reportq("batches", "show", batch_id, "--json")[1])["webhook"]["state"] == "pending"
    assert reportq("batches", "cancel", batch_id)[0] == 1
    assert reportq("batches", "replay", batch_id, "--callback", "http://10.0.0.1/x")[0] == 1
    assert reportq("batches", "replay", batch_id, "--why", "mended")[1].startswith("1 job of it runs again.")
    assert reportq("batches", "replay", batch_id)[0] == 1
    world.reports.missing.clear()
    world.run()
    told = json.loads(reportq("batches", "show", batch_id, "--json")[1])
    assert [told[name] for name in ("round", "completed", "failed", "cancelled")] == [2, 2, 0, 1]
    assert [one["status"] for one in told["results"]] == ["completed", "completed", "cancelled"]
    for act in ("show", "cancel", "replay"):
        code, shown = reportq("batches", act, "bat_none")
        assert (code, "ops/reportq batches list" in shown) == (1, True)


def test_command_line_tells_a_jobs_story(world: World, reportq: Command) -> None:
    """Failed, its callback refused, replayed and made: each with its moment, its answer, and who did what."""
    world.mouth.answers = [answer(404, '{"message": "The webhook is not registered."}')]
    job_id = bury(world, callback=HOOK)[0]
    assert reportq("jobs", "replay", job_id, "--why", "the report was mended")[0] == 0
    assert "Next: waits for a worker" in reportq("jobs", "show", job_id)[1]
    world.run()
    code, shown = reportq("jobs", "show", job_id)
    story = shown.partition("What happened")[2]
    told = [
        "Submitted", "Attempt 1 (round 1) failed", "invalid_data: Field 'a' is missing.", "Job failed (round 1)",
        "Dead letter", "replayed by cli:", "Callback answered 404", "The webhook is not registered.", "Replayed by cli:",
        "the report was mended", "Callback of round 1 superseded", "Attempt 2 (round 2) completed", "PDF stored (round 2)",
        "Callback answered 200",
    ]  # fmt: skip
    assert code == 0
    places = [story.find(words) for words in told]
    assert -1 not in places, story
    assert places == sorted(places), story
    events = json.loads(reportq("jobs", "show", job_id, "--json")[1])["story"]
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)


def test_command_line_tells_what_keeps_a_job_waiting(world: World, reportq: Command) -> None:
    job_id = world.submit(callback=HOOK)
    assert reportq("queues", "pause", "pdf", "--why", "new template")[0] == 0
    shown = reportq("jobs", "show", job_id)[1]
    assert "Next: waits for a worker" in shown
    assert "queue:pdf is paused by cli:" in shown
    assert "new template" in shown
    assert reportq("queues", "resume", "pdf")[0] == 0
    assert "is paused" not in reportq("jobs", "show", job_id)[1]
    for hint in world.relay():
        world.hint(hint)
    for scope, named in (
        ("host:hooks.example:443", "host:hooks.example:443"),
        (f"host:{lane_key(HOOK)}", "one path of host:hooks.example:443"),
    ):
        pauses.pause(world.db, scope, reason="It did not answer 5 times.", by=pauses.OUTAGE, seconds=60)
        told = " ".join(reportq("jobs", "show", job_id)[1].split())
        assert f"but {named} is paused since it does not answer" in told
        pauses.resume(world.db, scope)


def test_command_line_tells_why_a_callback_was_given_up(world: World, reportq: Command) -> None:
    job_id = world.submit(callback=HOOK)
    world.mouth.answers = [answer(410)]
    world.run()
    story = reportq("jobs", "show", job_id)[1].partition("What happened")[2]
    assert "Callback given up" in story
    assert world.delivery(job_id)["hint"] in story


def test_command_line_tells_of_a_cleaned_job_from_its_record(world: World, reportq: Command) -> None:
    moment = datetime(2026, 5, 1, 8, tzinfo=UTC)
    end = End("pdf_old", "K1", "p", 2, "failed", moment, moment, error_code="invalid_data", error_message="No name.")
    TableDocuments(world.db).record_end(end)
    code, shown = reportq("jobs", "show", "pdf_old")
    assert code == 0
    assert "permanent record" in shown
    assert "Job failed (round 2)" in shown
    assert json.loads(reportq("jobs", "show", "pdf_old", "--json")[1])["status"] == "failed"


def test_command_line_resends_callbacks(world: World, reportq: Command) -> None:
    ids = [world.submit(callback=HOOK) for _ in range(2)]
    world.mouth.answers = [answer(410), answer(410)]
    world.run()
    log = json.loads(reportq("webhooks", "log", ids[0], "--json")[1])["deliveries"][0]
    assert reportq("webhooks", "resend", log["delivery_id"])[0] == 0
    assert json.loads(reportq("webhooks", "resend-failed", "--since", "1h", "--json")[1])["outcomes"] == {"replayed": 1}
    world.run()
    assert [world.delivery(job)["status"] for job in ids] == ["delivered"] * 2
    assert reportq("webhooks", "resend", log["delivery_id"])[0] == 1
    assert "410" in reportq("webhooks", "log", ids[0])[1]


def test_command_line_sends_an_example(reportq: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        monkeypatch.setenv("REPORTQ_WEBHOOK_ALLOW", f"127.0.0.1:{receiver.port}")
        code, shown = reportq("webhooks", "send-example", f"{receiver.url}/webhook/x", "--json")
        assert (code, json.loads(shown)["verdict"]) == (0, "delivered")
        assert len(receiver.requests) == 1


def test_command_line_without_a_database_is_one_sentence(
    reportq: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("REPORTQ_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    code, shown = reportq("status")
    assert code == 4
    assert "start the service once" in shown


def test_command_line_tells_what_keeps_a_job_from_being_started(world: World, reportq: Command) -> None:
    first, second = world.submit(), world.submit()
    leadership.note_look(world.db, "RabbitMQ blocks publishing: low on memory.", 30.0)
    shown = reportq("jobs", "show", second)[1]
    assert "2 of 2 that wait" in shown
    assert "but: The relay cannot publish: RabbitMQ blocks publishing: low on memory." in shown
    assert "No render worker is alive" in shown
    assert "No webhook worker" not in shown, "that keeps no job"
    pauses.pause(world.db, "queue:pdf", reason="Moving house.", by="ann")
    assert "but queue:pdf is paused by ann" in reportq("jobs", "show", first)[1]
