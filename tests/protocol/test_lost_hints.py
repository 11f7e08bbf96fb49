"""DESIGN §2.1, §2.9: whatever becomes of messages, each due row is published again."""

from __future__ import annotations

from collections.abc import Callable

from schema.rows import pauses, workers
from schema.rows.outbox import JOBS
from schema.rows.workers import Card
from tests.protocol.kit import World

WorldOf = Callable[..., World]


def look_for_a_minute(world: World) -> None:
    """The housekeeper looks, and looks again when the hints have been missing long enough."""
    keeper = world.runtime.housekeeper
    keeper.lost_messages.step()
    for queue in keeper.lost_messages.missing_since:
        keeper.lost_messages.missing_since[queue] -= 120
    keeper.lost_messages.step()


def test_the_last_lost_hint_is_missed_while_workers_are_idle(world: World) -> None:
    """Three idle threads could hold three hints, but not for a minute."""
    workers.seen(world.db, Card("w/pdf", "pdf", "host", 1, 3, "0"), busy=0)
    job_id = world.submit()
    world.relay()
    world.published.in_broker["pdf"] = 0  # purged, or acked by a worker that could not ask

    look_for_a_minute(world)

    assert [hint.key for hint in world.relay()] == [job_id]


def test_hints_on_their_way_to_a_thread_are_not_missed_for_long(world: World) -> None:
    """What was missing for a moment only is not sent again: the least difference of the window counts."""
    ids = [world.submit() for _ in range(5)]
    world.relay()
    keeper = world.runtime.housekeeper
    world.published.in_broker["pdf"] = 1
    keeper.lost_messages.step()
    world.published.in_broker["pdf"] = 4
    keeper.lost_messages.missing_since["pdf"] -= 120
    keeper.lost_messages.step()
    assert [hint.key for hint in world.relay()] == ids[:1]


def test_a_hint_that_meets_a_pause_before_its_mark_is_published_again(world: World) -> None:
    """Workers are quicker than the confirms of a batch: the relay's late mark must not hide what was acked."""
    job_id = world.submit()
    taken = JOBS.take(world.db, limit=10, hold=10)
    pauses.pause(world.db, "queue:pdf", reason="maintenance", by="operator")
    world.runtime.board.active(fresh=True)
    world.hint(job_id)

    assert JOBS.mark(world.db, taken, taken.rows) == 0

    pauses.resume(world.db, "queue:pdf")
    assert [hint.key for hint in world.relay()] == [job_id]


def test_a_lost_hint_of_a_high_job_is_not_hidden_by_stale_copies_for_ever(world: World) -> None:
    """Endless load keeps copies of promoted jobs in the queue, so that counting finds no difference."""
    job_id = world.submit(priority=9)
    world.relay()
    world.published.in_broker["pdf"] = 50
    look_for_a_minute(world)
    assert world.relay() == []

    world.pass_time(world.runtime.settings.promote_after + 1)
    world.runtime.relay._promotion._at = float("-inf")

    assert [hint.key for hint in world.relay()] == [job_id]
    world.runtime.relay._promotion._at = float("-inf")
    assert world.relay() == []
