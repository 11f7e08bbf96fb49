"""DESIGN §2.15: a batch ends once a round, when the last of its jobs has ended, and is told of once."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from ulid import ULID

from actors.deliver import bodies
from actors.housekeeping.retention import Retention
from schema.errors import DependencyDown
from schema.life import replays, rounds
from schema.rows import batches, deliveries, jobs, letters
from schema.rows.batches import NewBatch
from schema.rows.columns import BatchRow
from schema.rows.jobs import KeyTaken, NewJob
from schema.sql.database import Database, DatabaseDown
from tests.protocol.kit import World, answer

CALLBACK = "https://hooks.example/webhook/batch"
OTHER = "https://hooks.example/webhook/batch-failed"
RESUME = "https://hooks.example/webhook-waiting/77?signature=abc"


def submit(world: World, *codes: str, **about: Any) -> tuple[str, list[str]]:
    """A batch with one job for each code."""
    batch_id = f"bat_{ULID()}"
    members = [
        NewJob(batches.member(batch_id, place), code, "p", batch_id=batch_id, callback=about.pop("each", None))
        for place, code in enumerate(codes)
    ]
    batches.submit(world.db, NewBatch(batch_id, **{"callback": CALLBACK, **about}), members)
    return batch_id, [job.job_id for job in members]


def row_of(world: World, batch_id: str) -> BatchRow:
    row = batches.find(world.db, batch_id)
    assert row is not None
    return row


def counts(world: World, batch_id: str) -> tuple[int, int, int, int, int]:
    row = row_of(world, batch_id)
    return row["round"], row["open"], row["completed"], row["failed"], row["cancelled"]


def told(world: World, batch_id: str) -> list[tuple[int, str]]:
    return [(row["round"], row["status"]) for row in deliveries.of_job(world.db, batch_id)[::-1]]


def test_its_jobs_have_consecutive_ids_that_begin_with_its_own() -> None:
    for batch_id in ("bat_01M8GH002A2WQHXZ1J3JDSBVZ9", "bat_01M8GH002AZZZZZZZZZZZZZZZY"):
        ids = [batches.member(batch_id, place) for place in range(2000)]
        assert ids[0][4:] == batch_id[4:]
        assert len(set(ids)) == 2000
        assert ids == sorted(ids)
        assert {len(job_id) for job_id in ids} == {30}


def test_it_is_told_once_when_the_last_of_its_jobs_has_ended(world: World) -> None:
    world.reports.missing.add("gone")
    batch_id, ids = submit(world, "K1", "gone", "K2", meta=b'{"n":1}')
    assert rounds.cancel(world.db, ids[2]) == "cancelled"
    assert told(world, batch_id) == []
    world.run()
    assert counts(world, batch_id) == (1, 0, 1, 1, 1)
    assert told(world, batch_id) == [(1, "delivered")]
    [post] = world.mouth.posts
    [body] = world.mouth.bodies
    assert (post.url, post.webhook_id) == (CALLBACK, f"msg_{batch_id}_1")
    assert [(one["job_id"], one["status"]) for one in body["results"]] == [
        (ids[0], "completed"), (ids[1], "failed"), (ids[2], "cancelled"),
    ]  # fmt: skip
    assert body["results"][0]["google_drive_link"].startswith("https://drive.example/")
    assert body["results"][1]["error"]["code"] == "report_not_found"
    assert {**body, "results": 0, "ended_at": 0} == {
        "type": "batch.completed", "batch_id": batch_id, "status": "completed", "round": 1, "ended_at": 0,
        "counts": {"total": 3, "completed": 1, "failed": 1, "cancelled": 1}, "meta": {"n": 1}, "results": 0,
    }  # fmt: skip
    for row in deliveries.of_job(world.db, batch_id):
        world.hint(row["delivery_id"], "webhooks")
    assert len(world.mouth.posts) == 1
    assert {end.job_id for end in world.reports.ends} == set(ids), "no permanent record is owed for the batch itself"


def test_its_jobs_may_have_callbacks_of_their_own_and_it_may_have_none(world: World) -> None:
    each = "https://hooks.example/webhook/pdf-complete"
    batch_id, _ = submit(world, "K1", each=each, callback=None)
    world.run()
    assert [post.url for post in world.mouth.posts] == [each]
    assert (told(world, batch_id), row_of(world, batch_id)["ended_at"] is not None) == ([], True)


@pytest.mark.parametrize(
    ("code", "about", "url"),
    [
        ("K1", {"failure_callback": OTHER}, CALLBACK),
        ("gone", {"failure_callback": OTHER}, OTHER),
        ("gone", {}, CALLBACK),
        ("gone", {"callback": None, "failure_callback": OTHER}, OTHER),
        ("K1", {"callback": None, "failure_callback": OTHER}, None),
    ],
)
def test_its_failure_url_is_told_when_not_all_completed(
    world: World, code: str, about: dict[str, Any], url: str | None
) -> None:
    world.reports.missing.add("gone")
    submit(world, code, "K2", **about)
    world.run()
    assert [post.url for post in world.mouth.posts] == ([url] if url else [])


def test_a_stale_end_is_not_counted(world: World) -> None:
    batch_id, ids = submit(world, "K1", "K2")
    held = jobs.claim(world.db, ids[0], worker_id="w", lease=20, timeout=300)
    assert isinstance(held, jobs.Claim)
    assert rounds.finish(world.db, held.row, "completed", outcome="completed")
    assert not rounds.finish(world.db, held.row, "completed", outcome="completed")
    assert not rounds.finish(world.db, held.row, "failed", outcome="failed")
    assert counts(world, batch_id) == (1, 1, 1, 0, 0)


def test_last_ends_at_the_same_time_are_one_end(url_of: str, world: World) -> None:
    """Each of the hands has a connection of its own; one of them sees that nothing is open any more."""
    for _ in range(5):
        batch_id, ids = submit(world, *(f"K{n}" for n in range(8)))
        claims = [jobs.claim(world.db, one, worker_id="w", lease=20, timeout=300) for one in ids]
        start, ended = threading.Barrier(8), []

        def end(held: Any, start: threading.Barrier = start, ended: list[bool] = ended) -> None:
            db = Database(url_of)
            start.wait()
            ended.append(rounds.finish(db, held.row, "completed", outcome="completed"))
            db.close()

        hands = [threading.Thread(target=end, args=(held,)) for held in claims]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join()
        assert ended == [True] * 8
        assert counts(world, batch_id) == (1, 0, 8, 0, 0)
        assert told(world, batch_id) == [(1, "queued")]


def test_a_replay_opens_its_next_round_which_is_told_once(world: World) -> None:
    world.reports.missing.update(("a", "b"))
    batch_id, ids = submit(world, "K1", "a", "b")
    world.run()
    assert counts(world, batch_id) == (1, 0, 1, 2, 0)
    world.reports.missing.clear()
    assert [rounds.replay(world.db, one, by="t") for one in ids[1:]] == ["replayed"] * 2
    assert counts(world, batch_id) == (2, 2, 1, 0, 0)
    assert row_of(world, batch_id)["ended_at"] is None
    world.run()
    assert counts(world, batch_id) == (2, 0, 3, 0, 0)
    assert told(world, batch_id) == [(1, "delivered"), (2, "delivered")]
    assert [body["round"] for body in world.mouth.bodies] == [1, 2]
    assert [post.webhook_id for post in world.mouth.posts] == [f"msg_{batch_id}_1", f"msg_{batch_id}_2"]


def test_a_replay_while_it_is_open_begins_no_round(world: World) -> None:
    world.reports.missing.add("gone")
    batch_id, ids = submit(world, "gone", "K1")
    world.hint(ids[0])
    assert counts(world, batch_id) == (1, 1, 0, 1, 0)
    rounds.replay(world.db, ids[0], by="t")
    assert counts(world, batch_id) == (1, 2, 0, 0, 0)
    world.run()
    assert told(world, batch_id) == [(1, "delivered")]


def test_an_owed_delivery_of_the_earlier_round_is_superseded_and_its_letter_closed(world: World) -> None:
    world.reports.missing.add("gone")
    batch_id, ids = submit(world, "gone")
    world.mouth.answers = [answer(503)]
    world.run()
    assert told(world, batch_id) == [(1, "queued")]
    rounds.replay(world.db, ids[0], by="t")
    world.mouth.answers = [answer(410)]
    world.run()
    assert told(world, batch_id) == [(1, "superseded"), (2, "dead")]
    [letter] = letters.open_of_job(world.db, batch_id)
    rounds.replay(world.db, ids[0], by="t")
    assert letters.open_of_job(world.db, batch_id) == []
    assert replays.replay_letter(world.db, letter["dead_letter_id"], by="t") == "resolved"
    world.run()
    assert told(world, batch_id) == [(1, "superseded"), (2, "dead"), (3, "delivered")]


def test_a_replay_while_its_callback_is_under_way_waits_for_that_end(world: World) -> None:
    world.reports.missing.add("gone")
    batch_id, ids = submit(world, "gone")
    world.mouth.answers = [answer(503)]
    world.mouth.before = lambda post: (
        rounds.replay(world.db, ids[0], by="t") == "replayed" and setattr(world.mouth, "before", lambda post: None)
    )
    world.run()
    assert told(world, batch_id) == [(1, "superseded"), (2, "delivered")]


def test_a_replay_between_its_claim_and_its_body_leaves_nothing_to_post(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would tell no end: one of the jobs is open again."""
    world.reports.missing.add("gone")
    batch_id, ids = submit(world, "gone")
    honest, once = batches.members, iter([True])

    def replayed_first(*given: Any) -> Any:
        if next(once, False):
            rounds.replay(world.db, ids[0], by="t")
        return honest(*given)

    monkeypatch.setattr(bodies.batches, "members", replayed_first)
    world.run()
    assert told(world, batch_id) == [(1, "superseded"), (2, "delivered")]
    assert [body["round"] for body in world.mouth.bodies] == [2]


def test_its_dead_callback_is_a_letter_that_can_be_replayed(world: World) -> None:
    batch_id, _ = submit(world, "K1")
    world.mouth.answers = [answer(410)]
    world.run()
    [letter] = letters.open_of_job(world.db, batch_id)
    assert (letter["kind"], letter["queue"], letter["code"]) == ("delivery", "webhooks", None)
    assert replays.replay_letter(world.db, letter["dead_letter_id"], by="t") == "replayed"
    world.run()
    assert told(world, batch_id) == [(1, "delivered")]
    [row] = deliveries.of_job(world.db, batch_id)
    assert replays.resend(world.db, row["delivery_id"], by="t") == "needs_force"
    assert replays.resend(world.db, row["delivery_id"], by="t", force=True) == "queued"
    world.run()
    assert len(world.mouth.posts) == 3


def test_a_resume_url_is_used_once(world: World) -> None:
    world.reports.missing.add("gone")
    batch_id, ids = submit(world, "gone", callback=RESUME)
    world.run()
    rounds.replay(world.db, ids[0], by="t")
    world.run()
    assert told(world, batch_id) == [(1, "delivered"), (2, "not_sent")]
    batches.redirect(world.db, batch_id, CALLBACK, None)
    rounds.replay(world.db, ids[0], by="t")
    world.run()
    assert told(world, batch_id)[2] == (3, "delivered")
    assert [post.url for post in world.mouth.posts] == [RESUME, CALLBACK]


def test_a_pause_of_mongodb_does_not_hold_it_unless_a_record_is_needed(world: World) -> None:
    batch_id, ids = submit(world, "K1", "K2")
    world.hint(ids[0])
    world.hint(ids[1])
    [row] = deliveries.of_job(world.db, batch_id)
    assert row["recorded_at"] is not None
    world.hint(row["delivery_id"], "webhooks")
    assert told(world, batch_id) == [(1, "delivered")]
    # A job whose row is gone: its result stands in the store, which is away once.
    batch_id, ids = submit(world, "K1", "K2")
    for one in ids:
        world.hint(one)
    world.reports.record_end(deliveries.end_of(world.delivery(ids[0])))
    world.db.execute("DELETE FROM pdf_job_results WHERE job_id=%s", (ids[0],))
    away, honest = iter([True]), world.reports.find_end

    def find_end(job_id: str) -> Any:
        if next(away, False):
            raise DependencyDown("mongodb", "away")
        return honest(job_id)

    world.reports.find_end = find_end  # type: ignore[method-assign]
    [row] = deliveries.of_job(world.db, batch_id)
    world.hint(row["delivery_id"], "webhooks")
    assert told(world, batch_id) == [(1, "queued")]
    world.pass_time(10)
    world.hint(row["delivery_id"], "webhooks")
    assert told(world, batch_id) == [(1, "delivered")]
    assert [one["job_id"] for one in world.mouth.bodies[-1]["results"]] == ids


@pytest.mark.parametrize("most", ["small", "few"])
def test_results_that_are_too_many_are_linked(world: World, monkeypatch: pytest.MonkeyPatch, most: str) -> None:
    batch_id, _ = submit(world, "K1", "K2", "K3")
    if most == "small":
        monkeypatch.setattr(bodies, "MOST", 3 * bodies._LEAST)
    else:
        monkeypatch.setattr(bodies, "MOST", 3 * bodies._LEAST - 1)
        monkeypatch.setattr(bodies.batches, "members", None)  # nobody even asks for them
    world.run()
    [body] = world.mouth.bodies
    assert "results" not in body
    assert body["results_url"].endswith(f"/api/batches/{batch_id}")
    assert body["counts"]["total"] == 3


def test_no_result_is_shorter_than_is_said() -> None:
    import msgspec

    from schema.http.batch_responses import BatchResult

    shortest = BatchResult(f"pdf_{ULID()}", "c", "p", "failed", None, None)
    assert len(msgspec.json.encode(shortest)) + 1 >= bodies._LEAST


def test_it_is_written_whole_or_not_at_all_and_harmless_when_repeated(world: World) -> None:
    batch_id = f"bat_{ULID()}"
    members = [
        NewJob(batches.member(batch_id, n), "K", "p", batch_id=batch_id, idempotency_key=f"k{n}", fingerprint="f")
        for n in range(3)
    ]
    for _ in range(2):
        batches.submit(world.db, NewBatch(batch_id), members)
    assert counts(world, batch_id) == (1, 3, 0, 0, 0)
    other = f"bat_{ULID()}"
    again = [
        NewJob(batches.member(other, n), "K", "p", batch_id=other, idempotency_key=f"k{3 - n}", fingerprint="f")
        for n in range(3)
    ]
    with pytest.raises(KeyTaken):
        batches.submit(world.db, NewBatch(other), again)
    assert batches.find(world.db, other) is None
    assert world.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 3


def test_its_row_stays_while_a_job_or_a_callback_of_it_does(world: World) -> None:
    world.reports.missing.add("gone")
    batch_id, ids = submit(world, "K1", "gone")
    world.mouth.answers = [answer(410)]
    world.run()

    def sweep() -> bool:
        for table in ("pdf_job_results", "batches"):
            world.db.execute(f"UPDATE {table} SET ended_at={world.db.later(-7200)}")
        Retention(world.db, keep=3600, keep_letters=3600).step(30)
        return batches.find(world.db, batch_id) is not None

    assert sweep(), "a job has an open letter"
    assert jobs.find(world.db, ids[0]) is None
    row = row_of(world, batch_id)
    assert [one["job_id"] for one in batches.members(world.db, world.reports, row, 0, 2)] == ids
    [letter] = letters.open_of_job(world.db, ids[1])
    letters.resolve(world.db, letter["dead_letter_id"], "discarded", "t")
    assert sweep(), "the batch's callback has an open letter"
    assert not batches.has_members(world.db, row)
    [letter] = letters.open_of_job(world.db, batch_id)
    assert replays.replay_letter(world.db, letter["dead_letter_id"], by="t") == "replayed"
    assert sweep(), "its callback is owed again"
    world.run()
    assert not sweep()
    assert deliveries.of_job(world.db, batch_id) == []


def test_a_young_batch_stays_and_many_old_ones_go_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from schema.life import retention

    monkeypatch.setattr(retention, "_BATCH", 3)
    stuck = [submit(world, "K")[0] for _ in range(4)]  # they come first, and must stay
    free = [submit(world, "K")[0] for _ in range(5)]
    world.db.execute("DELETE FROM pdf_job_results WHERE batch_id > %s", (stuck[-1],))
    young, _ = submit(world, "K", callback=None)
    world.run()
    for age, batch_id in zip(itertools.count(9000, -1), [*stuck, *free], strict=False):
        world.db.execute(f"UPDATE batches SET ended_at={world.db.later(-age)} WHERE batch_id=%s", (batch_id,))
    rows = Retention(world.db, keep=3600, keep_letters=3600)
    for _ in range(4):
        rows.remove_batches()
    left = [row["batch_id"] for row in world.db.fetch_all("SELECT batch_id FROM batches ORDER BY batch_id")]
    assert left == sorted([*stuck, young])


def test_a_batch_that_the_database_refuses_to_remove_holds_up_no_later_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from schema.life import retention

    monkeypatch.setattr(retention, "_BATCH", 1)
    bad, good = (submit(world, "K")[0] for _ in range(2))
    world.db.execute("DELETE FROM pdf_job_results")
    for age, batch_id in ((9000, bad), (8000, good)):
        world.db.execute(f"UPDATE batches SET ended_at={world.db.later(-age)} WHERE batch_id=%s", (batch_id,))
    whole = retention._remove_batch

    def refuses(db: Database, batch_id: str) -> None:
        if batch_id == bad:
            raise DatabaseDown("it cannot")
        whole(db, batch_id)

    monkeypatch.setattr(retention, "_remove_batch", refuses)
    rows = Retention(world.db, keep=3600, keep_letters=3600)
    with pytest.raises(DatabaseDown):
        rows.remove_batches()
    rows.remove_batches()
    assert [row["batch_id"] for row in world.db.fetch_all("SELECT batch_id FROM batches")] == [bad]
