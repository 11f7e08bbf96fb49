"""Two processes at one row at the same moment: neither decides by a value that the other has changed (DESIGN §2.10)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from actors.housekeeping.rescue import rescue_delivery
from actors.housekeeping.retention import Retention
from schema.errors import DependencyDown
from schema.life import queues, rounds
from schema.life.failures import Failure, RetryPolicy
from schema.life.replays import discard_letter, replay_letter, resend
from schema.rows import deliveries, jobs, pauses
from schema.rows.deliveries import DeliveryClaim
from schema.sql.database import Database
from tests.protocol.kit import World, answer
from tests.protocol.test_rounds_told import URL, failed

POLICY = RetryPolicy(attempts=3, backoff=5, longest=60)
AGAIN = Failure("drive_error", "Drive did not answer.")


def beside_a_replay(world: World, url: str, job_id: str, work: Callable[[], object]) -> None:
    """Run `work` on another connection while a replay of the job is written but not committed."""
    other = Database(url)
    written, done = threading.Event(), threading.Event()

    def replay() -> None:
        def both() -> None:
            assert rounds.replay(other, job_id, by="ani") == "replayed"
            written.set()
            # `work` ends at once, or waits for this commit: half a second tells that it waits.
            done.wait(0.5)

        other.transaction(both)
        other.close()

    def beside() -> None:
        assert written.wait(10)
        work()
        done.set()
        world.db.close()

    threads = [threading.Thread(target=replay), threading.Thread(target=beside)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert done.is_set()


def posting(world: World, job_id: str) -> DeliveryClaim:
    """The first round's delivery, its POST under way."""
    held = deliveries.claim(world.db, world.delivery(job_id)["delivery_id"], worker_id="w", lease=20, timeout=50)
    assert isinstance(held, DeliveryClaim)
    assert deliveries.begin_post(world.db, held) == 1
    return held


def wait_again(world: World, held: DeliveryClaim) -> None:
    deliveries.wait(world.db, held.row, seconds=3600, last_status=503)


def broke(world: World, held: DeliveryClaim) -> None:
    deliveries.wait(world.db, held.row, seconds=3600, crashed=True)


def rescued(world: World, held: DeliveryClaim) -> None:
    rescue_delivery(world.db, world.delivery(held.row["job_id"]))


@pytest.mark.parametrize("end_of_the_post", [wait_again, broke, rescued])
def test_a_replay_that_is_committed_at_the_end_of_a_post_supersedes_it(
    world: World, url_of: str, end_of_the_post: Callable[[World, DeliveryClaim], None]
) -> None:
    """Else round 1 waits an hour for its next try, and round 2's caller waits behind it."""
    job_id = failed(world)
    held = posting(world, job_id)
    beside_a_replay(world, url_of, job_id, lambda: end_of_the_post(world, held))
    assert world.delivery(job_id, 1)["status"] == "superseded"
    world.run()
    assert world.delivery(job_id, 2)["status"] == "delivered"
    assert [body["status"] for body in world.mouth.bodies] == ["completed"]


def test_a_forced_resend_survives_a_second_click(world: World) -> None:
    job_id = world.submit(callback=URL)
    world.run()
    delivery_id = world.delivery(job_id)["delivery_id"]
    for _ in range(2):
        assert resend(world.db, delivery_id, by="ani", force=True) == "queued"
    world.run()
    assert len(world.mouth.posts) == 2
    assert world.delivery(job_id)["status"] == "delivered"


def test_a_forced_resend_that_died_is_sent_when_its_letter_is_replayed(world: World) -> None:
    job_id = world.submit(callback=URL)
    world.run()
    resend(world.db, world.delivery(job_id)["delivery_id"], by="ani", force=True)
    world.mouth.answers = [answer(410)]
    world.run()
    [letter] = world.letters(job_id)
    assert replay_letter(world.db, letter["dead_letter_id"], by="ani") == "replayed"
    world.run()
    assert len(world.mouth.posts) == 3
    assert world.delivery(job_id)["status"] == "delivered"


def test_a_second_click_does_not_repeat_a_forced_resend_that_has_arrived(world: World) -> None:
    """Its 2xx was written down late, by a worker whose lease had run out, while the delivery waited again."""
    job_id = world.submit(callback=URL)
    world.run()
    delivery_id = world.delivery(job_id)["delivery_id"]
    resend(world.db, delivery_id, by="ani", force=True)
    stale = deliveries.claim(world.db, delivery_id, worker_id="stale", lease=20, timeout=50)
    assert isinstance(stale, DeliveryClaim)
    number = deliveries.begin_post(world.db, stale, "forced")
    deliveries.wait(world.db, stale.row, seconds=60)
    told = "UPDATE delivery_attempts SET outcome='delivered', ended_at={} WHERE number=%s"
    world.db.execute(told.format(world.db.now()), (number,))
    assert resend(world.db, delivery_id, by="ani", force=True) == "queued"
    world.run()
    assert world.delivery(job_id)["status"] == "delivered"
    assert len(world.mouth.posts) == 1  # the first one: the stale worker's went out elsewhere


def claimed(world: World, job_id: str) -> jobs.Claim:
    held = jobs.claim(world.db, job_id, worker_id="w", lease=20, timeout=300)
    assert isinstance(held, jobs.Claim)
    return held


def claimed_after_failures(world: World, count: int) -> tuple[str, jobs.Claim]:
    """A job that has failed `count` times and is worked on once more."""
    job_id = world.submit(callback=URL)
    for _ in range(count):
        assert rounds.fail(world.db, claimed(world, job_id).row, AGAIN, POLICY) == "retry"
        world.pass_time(100)
    return job_id, claimed(world, job_id)


def test_a_refund_that_comes_while_the_job_is_worked_on_holds_at_its_end(world: World) -> None:
    job_id, held = claimed_after_failures(world, 1)
    rounds.refund(world.db, [(job_id, 1)])
    assert rounds.finish(world.db, held.row, "completed", outcome="completed", link="x")
    assert world.job(job_id)["retry_count"] == 0


def test_a_refund_that_comes_while_the_job_is_worked_on_gives_it_its_try_back(world: World) -> None:
    """Three counted failures are no four: the fourth attempt was an outage's."""
    job_id, held = claimed_after_failures(world, 3)
    rounds.refund(world.db, [(job_id, 1)])
    assert rounds.fail(world.db, held.row, AGAIN, POLICY) == "retry"
    row = world.job(job_id)
    assert (row["tries"], row["retry_count"]) == (3, 3)
    world.pass_time(100)
    assert rounds.fail(world.db, claimed(world, job_id).row, AGAIN, POLICY) == "failed"
    assert world.job(job_id)["retry_count"] == 3
    world.run()
    assert world.mouth.bodies[-1]["retry_count"] == 3


def test_two_operators_may_pause_at_once(world: World, url_of: str) -> None:
    """… a queue, a host or a dependency; the outage that is found at the same moment does not take the pause over."""
    start = threading.Barrier(6)
    troubles: list[BaseException] = []

    def one(work: Callable[[Database], Any]) -> None:
        database = Database(url_of)
        try:
            start.wait(10)
            work(database)
        except BaseException as error:
            troubles.append(error)
        finally:
            database.close()

    for n in range(8):
        scope = f"dependency:drive{n}"
        works: list[Callable[[Database], Any]] = [
            *[lambda db: queues.pause(db, "pdf", by="ani", why="test")] * 2,
            *[lambda db, scope=scope: pauses.pause(db, scope, reason="r", by="ani")] * 2,
            *[lambda db, scope=scope: pauses.pause(db, scope, reason="r", by=pauses.OUTAGE, seconds=5)] * 2,
        ]
        threads = [threading.Thread(target=one, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert troubles == []
        assert pauses.in_force(world.db)[scope]["set_by"] == "ani"
        pauses.resume(world.db, "queue:pdf")


def test_an_end_that_was_never_recorded_goes_when_its_letter_is_discarded(world_of: Callable[..., World]) -> None:
    """With the report's data: nobody waits for either any more."""
    world = world_of(cleanup_completed_after=60)
    job_id = world.submit(callback=URL, inline=b'{"name": "Ani"}')
    world.reports.fail = [DependencyDown("mongodb", "away")] * 100
    for hint in world.relay():
        world.hint(hint)
    world.pass_time(100 * 3600)
    world.run()
    [letter] = world.letters(job_id)
    cleaned = Retention(world.db, keep=0, keep_letters=3600)
    assert cleaned.step() == 0  # somebody must look at it first
    assert discard_letter(world.db, letter["dead_letter_id"], by="ani") == "discarded"
    assert cleaned.step() == 1
    assert jobs.find(world.db, job_id) is None
    assert jobs.inline_report(world.db, job_id) is None
