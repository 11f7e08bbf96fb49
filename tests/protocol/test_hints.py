"""DESIGN §2.1, §2.8, §2.9: the row is its own outbox, the message is a hint, the window is the order."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from schema.errors import DependencyDown, Transient
from schema.rows import jobs, outbox, pauses
from schema.rows.outbox import JOBS
from schema.sql.database import DatabaseDown
from tests.protocol.kit import World

WorldOf = Callable[..., World]


def test_a_job_travels_the_whole_way(world: World) -> None:
    job_id = world.submit(callback="https://hooks.example/webhook/pdf-complete")

    world.run()

    job = world.job(job_id)
    assert (job["status"], job["progress"], job["retry_count"]) == ("completed", 100, 0)
    assert world.attempts(job_id) == ["completed"]
    assert world.delivery(job_id)["status"] == "delivered"
    assert [(b["type"], b["job_id"], b["google_drive_link"]) for b in world.mouth.bodies] == [
        ("report.completed", job_id, job["google_drive_link"])
    ]
    assert [end.status for end in world.reports.ends] == ["completed"]


def test_two_relays_racing_publish_a_row_once(world: World) -> None:
    ids = {world.submit() for _ in range(40)}
    start = threading.Barrier(4)
    taken: list[str] = []

    def race() -> None:
        start.wait()
        for _ in range(10):
            taken.extend(row["id"] for row in JOBS.take(world.db, limit=7, hold=10).rows)
        world.db.close()

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(ids)


def test_a_late_mark_does_not_hide_a_retry(world: World) -> None:
    """The worker was faster than the relay's mark, and failed: the retry must still be published."""
    job_id = world.submit()
    world.pen.work = lambda request, progress: (_ for _ in ()).throw(Transient("not now"))
    taken = JOBS.take(world.db, limit=10, hold=10)
    world.hint(job_id)

    marked = JOBS.mark(world.db, taken, taken.rows)

    assert marked == 0
    assert world.job(job_id)["published_at"] is None
    world.pass_time(60)
    assert [hint.key for hint in world.relay()] == [job_id]


def test_a_mark_while_the_job_is_worked_on_is_void(world: World) -> None:
    job_id = world.submit()
    taken = JOBS.take(world.db, limit=10, hold=10)
    world.hint(job_id)
    assert JOBS.mark(world.db, taken, taken.rows) == 0
    assert world.job(job_id)["status"] == "completed"


def test_a_relay_that_dies_before_its_mark_leads_to_a_second_hint_and_one_pdf(world: World) -> None:
    job_id = world.submit()
    JOBS.take(world.db, limit=10, hold=10)  # published, then killed
    assert world.relay() == []  # held by the dead relay for ten seconds
    world.pass_time(11)
    again = world.relay()
    world.hint(job_id)
    for hint in again:
        world.hint(hint)
    assert world.pen.renders == 1
    assert world.attempts(job_id) == ["completed"]


def test_an_unconfirmed_hint_leaves_the_row_due(world: World) -> None:
    job_id = world.submit()
    world.published.confirms = False
    with pytest.raises(DependencyDown):
        world.relay()
    world.published.confirms = True
    assert [hint.key for hint in world.relay()] == [job_id]


def test_hints_that_are_worth_nothing_are_forgotten(world: World) -> None:
    """Against a live lease, an ended job, a row not yet due, and a job that never was."""
    live, ended, waiting = world.submit(), world.submit(), world.submit()
    held = jobs.claim(world.db, live, worker_id="other", lease=20, timeout=300)
    assert isinstance(held, jobs.Claim)
    world.hint(ended)
    world.pen.work = lambda request, progress: (_ for _ in ()).throw(Transient("later"))
    world.hint(waiting)
    renders = world.pen.renders

    for job_id in (live, ended, waiting, "pdf_nobody"):
        world.hint(job_id)

    assert world.pen.renders == renders
    assert world.job(live)["start_no"] == 1
    assert world.job(ended)["start_no"] == 1
    assert world.job(waiting)["start_no"] == 1


def test_a_hint_met_by_a_pause_clears_published_at(world: World) -> None:
    job_id = world.submit()
    [hint] = world.relay()
    pauses.pause(world.db, "queue:pdf", reason="maintenance", by="ani")
    world.runtime.board.active(fresh=True)

    world.hint(hint)

    assert (world.job(job_id)["status"], world.job(job_id)["published_at"]) == ("queued", None)
    assert world.relay() == []  # nothing is admitted while it is paused
    pauses.resume(world.db, "queue:pdf")
    assert [h.key for h in world.relay()] == [job_id]


def test_a_claim_that_cannot_be_asked_waits_and_asks_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = world.submit()
    asked = []
    real = jobs.claim

    def away_twice(*args: object, **kwargs: object) -> object:
        asked.append(1)
        if len(asked) < 3:
            raise DatabaseDown("away")
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "claim", away_twice)
    world.hint(job_id)  # returns (the message is acked) only after the database had answered
    assert len(asked) == 3
    assert world.job(job_id)["status"] == "completed"


def test_the_window_admits_by_rank_and_age(world_of: WorldOf) -> None:
    """In-process and quorum brokers: at most two jobs a thread are in the broker, the best first."""
    world = world_of(ordered_here=True)
    low = world.submit(priority=0)
    normal = [world.submit() for _ in range(5)]
    assert [h.key for h in world.relay()] == normal[:2]
    high = world.submit(priority=9)
    assert world.relay() == []
    for key in normal[:2]:
        world.hint(key)
    admitted = [h.key for h in world.relay() if h.queue == "pdf"]
    assert admitted == [high, normal[2]]
    for key in admitted:
        world.hint(key)
    world.run()
    assert world.job(low)["status"] == "completed"


def test_high_jobs_do_not_wait_for_a_place_in_the_window(world_of: WorldOf) -> None:
    """Classic queues order by priority themselves: the window bounds what is in the broker, high jobs are exempt."""
    world = world_of(max_queue_size=3)
    normal = [world.submit() for _ in range(5)]
    assert [h.key for h in world.relay()] == normal[:3]
    assert world.relay() == []
    high = world.submit(priority=9)
    assert [(h.key, h.priority) for h in world.relay()] == [(high, 9)]


def test_who_waits_too_long_is_promoted_and_the_oldest_goes_first(world: World) -> None:
    """Everybody to rank 7, and to 9 at any time the oldest, as many as there are threads (here one)."""
    ids = [world.submit(priority=0) for _ in range(3)]
    relay = world.runtime.relay
    assert [h.priority for h in world.relay()] == [0] * 3
    world.pass_time(601)

    def look() -> list[tuple[str, int]]:
        relay._promotion._at = float("-inf")
        return [(h.key, h.priority) for h in world.relay() if h.queue == "pdf"]

    assert look() == [(ids[0], 9), (ids[1], 7), (ids[2], 7)]
    assert look() == []
    world.hint(ids[0])
    assert look() == [(ids[1], 9)]
    assert look() == []


def test_a_promoted_job_passes_a_full_window(world_of: WorldOf) -> None:
    world = world_of(max_queue_size=2)
    old = world.submit(priority=0)
    world.db.execute("UPDATE pdf_job_results SET requested_at=%s WHERE job_id=%s", ("2020-01-01 00:00:00", old))
    for _ in range(4):
        world.submit()
    hints = world.relay()
    assert hints[0].key == old
    assert hints[0].priority == 9


def test_lost_hints_are_found_by_arithmetic(world_of: WorldOf) -> None:
    world = world_of(lost_hint_after=0.2)
    ids = [world.submit() for _ in range(3)]
    world.relay()
    world.published.in_broker["pdf"] = 3
    keeper = world.runtime.housekeeper
    keeper.lost_messages.step()
    assert world.relay() == []
    world.published.in_broker["pdf"] = 1  # two messages vanished
    keeper.lost_messages.step()
    keeper.lost_messages.missing_since["pdf"] -= 1
    keeper.lost_messages.step()
    assert [h.key for h in world.relay()] == ids[:2]


def test_an_in_process_broker_that_starts_anew_forgets_nothing(world: World) -> None:
    job_id = world.submit()
    world.relay()
    assert outbox.JOBS.unpublish_all(world.db) == 1
    assert [h.key for h in world.relay()] == [job_id]


def test_a_duplicate_hint_renders_nothing_twice(world: World) -> None:
    job_id = world.submit()
    [hint] = world.relay()
    for _ in range(3):
        world.hint(hint)
    assert world.pen.renders == 1
    assert world.attempts(job_id) == ["completed"]
