"""Which round tells its caller when rounds and workers overlap (DESIGN §2.10, §2.11)."""

from __future__ import annotations

import pytest

from actors.housekeeping.rescue import rescue_delivery
from schema.life import rounds
from schema.life.replays import replay_letter, resend
from schema.ports import Post
from schema.rows import deliveries, posts
from schema.rows.deliveries import DeliveryClaim
from schema.rows.posts import Outcome
from tests.protocol.kit import World, answer

URL = "https://hooks.example/webhook/pdf-complete"
RESUME = "https://hooks.example/webhook-waiting/77?signature=abc"


def failed(world: World, callback: str = URL) -> str:
    """A job whose first round has failed; its callback is still owed."""
    world.reports.missing.add("K9")
    job_id = world.submit("K9", callback=callback)
    for hint in world.relay():
        world.hint(hint)
    assert world.job(job_id)["status"] == "failed"
    world.reports.missing.clear()
    return job_id


def replayed_while_posting(world: World, status: int) -> str:
    """A job that is replayed while its first round's POST is under way; the POST is answered by `status`."""
    job_id = failed(world)

    def replay(post: Post) -> None:
        world.mouth.before = lambda post: None
        assert rounds.replay(world.db, job_id, by="ani") == "replayed"

    world.mouth.before = replay
    world.mouth.answers = [answer(status)]
    world.run()
    world.pass_time(2)  # the second round's delivery looks again a second later
    world.run()
    return job_id


@pytest.mark.parametrize("status", [503, 403])
def test_a_newer_round_does_not_wait_for_an_older_ones_retries(world: World, status: int) -> None:
    job_id = replayed_while_posting(world, status)
    assert world.delivery(job_id, 1)["status"] == "superseded"
    assert world.delivery(job_id, 1)["ended_at"] is not None
    assert world.delivery(job_id, 2)["status"] == "delivered"
    assert [body["status"] for body in world.mouth.bodies] == ["failed", "completed"]
    assert world.letters(job_id) == []


def test_a_round_told_while_it_was_replayed_stays_told(world: World) -> None:
    job_id = replayed_while_posting(world, 200)
    assert [world.delivery(job_id, n)["status"] for n in (1, 2)] == ["delivered", "delivered"]


def test_a_rescued_delivery_of_an_older_round_is_superseded(world: World) -> None:
    job_id = failed(world)
    row = world.delivery(job_id)
    held = deliveries.claim(world.db, row["delivery_id"], worker_id="w", lease=20, timeout=50)
    assert isinstance(held, DeliveryClaim)
    deliveries.begin_post(world.db, held)
    rounds.replay(world.db, job_id, by="ani")
    world.pass_time(60)
    world.rescue()
    assert world.delivery(job_id, 1)["status"] == "superseded"
    world.run()
    assert world.delivery(job_id, 2)["status"] == "delivered"


def test_a_resume_url_that_a_stale_worker_used_is_not_posted_again(world: World) -> None:
    """Its 2xx is in the attempt row only: the lease had run out, and a replay took the delivery's place."""
    job_id = failed(world, RESUME)
    row = world.delivery(job_id)
    stale = deliveries.claim(world.db, row["delivery_id"], worker_id="stale", lease=20, timeout=50)
    assert isinstance(stale, DeliveryClaim)
    number = deliveries.begin_post(world.db, stale)
    assert isinstance(number, int)
    world.pass_time(60)
    world.rescue()
    told = Outcome("delivered", 200, None, 10, "{}", "accepted")
    posts.end(world.db, stale.delivery_id, number, told)
    assert not deliveries.end(world.db, stale.row, "delivered")
    rounds.replay(world.db, job_id, by="ani")
    assert world.delivery(job_id, 1)["status"] == "superseded"
    world.run()
    assert world.delivery(job_id, 2)["status"] == "not_sent"
    assert world.mouth.posts == []


def test_an_older_round_is_not_told_after_a_newer_one(world: World) -> None:
    job_id = failed(world)
    world.mouth.answers = [answer(403)]
    world.run()
    [letter] = [letter for letter in world.letters(job_id) if letter["kind"] == "delivery"]
    rounds.replay(world.db, job_id, by="ani")
    world.run()
    assert [body["status"] for body in world.mouth.bodies] == ["failed", "completed"]

    assert resend(world.db, world.delivery(job_id, 1)["delivery_id"], by="ani", force=True) == "superseded"
    replay_letter(world.db, letter["dead_letter_id"], by="ani")
    world.run()
    assert len(world.mouth.posts) == 2


def test_a_forced_resend_whose_2xx_was_noted_late_is_not_posted_twice(world: World) -> None:
    job_id = world.submit(callback=URL)
    world.run()
    delivery_id = world.delivery(job_id)["delivery_id"]
    assert resend(world.db, delivery_id, by="ani", force=True) == "queued"
    stale = deliveries.claim(world.db, delivery_id, worker_id="stale", lease=20, timeout=50)
    assert isinstance(stale, DeliveryClaim)
    number = deliveries.begin_post(world.db, stale, "forced")
    assert isinstance(number, int)
    world.db.execute(f"UPDATE deliveries SET lease_until={world.db.later(-1)}")
    rescue_delivery(world.db, world.delivery(job_id))
    posts.end(world.db, stale.delivery_id, number, Outcome("delivered", 200, None, 10, "{}", "accepted"))
    world.db.execute(f"UPDATE deliveries SET run_at={world.db.now()}")
    world.run()
    assert world.delivery(job_id)["status"] == "delivered"
    assert len(world.mouth.posts) == 1  # the first one: the stale worker's went out elsewhere
