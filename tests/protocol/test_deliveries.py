"""DESIGN §2.10, §2.11, §6: the record first, one signed POST, one attempt row, one end per round."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.housekeeping.rescue import rescue_delivery
from schema.errors import DependencyDown
from schema.life import rounds
from schema.life.replays import replay_letter
from schema.ports import Post
from schema.rows import deliveries, pauses, posts
from tests.protocol.kit import World, answer

WorldOf = Callable[..., World]
CALLBACK = "https://hooks.example/webhook/pdf-complete"
RESUME = "https://hooks.example/webhook-waiting/77?signature=abc"


def tries(world: World, job_id: str) -> list[str]:
    return [row["outcome"] for row in posts.of(world.db, world.delivery(job_id)["delivery_id"])]


def test_the_record_is_written_before_the_post_and_the_attempt_row_too(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    seen: list[object] = []

    def look(post: Post) -> None:
        seen.append([end.status for end in world.reports.ends])
        seen.append(tries(world, job_id))

    world.mouth.before = look
    world.run()
    assert seen == [["completed"], ["sending"]]
    assert tries(world, job_id) == ["delivered"]


def test_no_post_without_a_record(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    world.reports.fail = [DependencyDown("mongodb", "away")]
    world.run()
    assert world.mouth.posts == []
    row = world.delivery(job_id)
    assert (row["status"], row["tries"], row["recorded_at"]) == ("queued", 0, None)
    world.pass_time(10)
    world.run()
    assert world.delivery(job_id)["status"] == "delivered"


def test_what_was_found_sending_is_unknown_counts_as_a_try_and_goes_out_again_with_the_same_id(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)

    class Killed(BaseException):
        pass

    def die(post: Post) -> None:
        world.mouth.posts.append(post)
        raise Killed

    for hint in world.relay():
        world.hint(hint)
    [hint] = world.relay()
    world.mouth.before = die
    with pytest.raises(Killed):
        world.runtime.delivering(hint.key)
    world.runtime.attempts.end()
    assert tries(world, job_id) == ["sending"]
    world.mouth.before = lambda post: None
    world.pass_time(60)
    world.rescue()
    world.pass_time(7)  # the schedule's next step: a receiver whose answers kill workers is not met again at once
    world.run()
    assert tries(world, job_id) == ["unknown", "delivered"]
    assert len({post.webhook_id for post in world.mouth.posts}) == 1
    assert world.delivery(job_id)["tries"] == 2


def test_the_start_page_of_n8n_counts_as_no_recorded_2xx(world: World) -> None:
    """It is tried again on the long ladder, although its status is 200."""
    job_id = world.submit(callback=RESUME)
    world.mouth.answers = [answer(200, "n8n is starting up. Please wait", content_type="text/html")] * 2
    world.run()
    row = world.delivery(job_id)
    assert (row["status"], row["last_status"]) == ("queued", 200)
    assert "start-up page" in row["hint"]
    world.pass_time(7)
    world.run()
    world.pass_time(40)
    world.run()
    assert tries(world, job_id) == ["failed", "failed", "delivered"]
    assert (world.delivery(job_id)["status"], world.delivery(job_id)["hint"]) == ("delivered", None)


def test_a_page_is_delivered_once_and_its_hint_stays(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    world.mouth.answers = [answer(200, "<!doctype html><html><title>Editor</title></html>", content_type="text/html")]
    world.run()
    world.pass_time(3600)
    world.run()
    assert tries(world, job_id) == ["delivered"]
    row = world.delivery(job_id)
    assert (row["status"], "web page" in row["hint"]) == ("delivered", True)


def test_finished_after_an_unknown_outcome_means_delivered(world: World) -> None:
    job_id = world.submit(callback=RESUME)
    world.mouth.answers = [answer(None, failure="timeout"), answer(409, "The execution 77 has finished already.")]
    world.run()
    world.pass_time(20)
    world.run()
    row = world.delivery(job_id)
    assert (row["status"], tries(world, job_id)) == ("delivered", ["unknown", "delivered"])


def test_finished_without_an_unknown_outcome_is_a_stop_with_a_hint(world: World) -> None:
    job_id = world.submit(callback=RESUME)
    world.mouth.answers = [answer(409, "The execution 77 has finished already.")]
    world.run()
    row = world.delivery(job_id)
    assert (row["status"], row["error_code"]) == ("dead", "webhook_execution_finished")
    assert row["hint"]
    [letter] = world.letters(job_id)
    assert (letter["kind"], letter["queue"]) == ("delivery", "webhooks")
    assert world.job(job_id)["status"] == "completed"


def test_no_post_follows_a_recorded_2xx(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    world.run()
    row = world.delivery(job_id)
    world.hint(row["delivery_id"], "webhooks")
    assert len(world.mouth.posts) == 1
    # Even when its end had been lost after the attempt row was written:
    world.db.execute("UPDATE deliveries SET status='queued', ended_at=NULL, published_at=NULL, start_no=start_no+1")
    world.hint(row["delivery_id"], "webhooks")
    assert len(world.mouth.posts) == 1


def test_a_delivery_whose_2xx_was_recorded_but_not_ended_ends(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    world.run()
    world.db.execute("UPDATE deliveries SET status='queued', ended_at=NULL, published_at=NULL, start_no=start_no+1")
    world.run()
    assert len(world.mouth.posts) == 1
    assert world.delivery(job_id)["status"] == "delivered"


def test_a_later_round_waits_for_the_earlier_delivery(world: World) -> None:
    job_id = world.submit("missing", callback=CALLBACK)
    world.reports.missing.add("missing")
    for hint in world.relay():
        world.hint(hint)
    [first] = [h for h in world.relay() if h.queue == "webhooks" and "dead_letter_id" not in h.options]
    held = deliveries.claim(world.db, first.key, worker_id="slow", lease=20, timeout=50)
    assert isinstance(held, deliveries.DeliveryClaim)  # its POST is on the way
    world.reports.missing.clear()
    rounds.replay(world.db, job_id, by="ani")
    world.run()
    assert world.job(job_id)["status"] == "completed"
    assert world.delivery(job_id, 2)["status"] == "queued"
    assert world.mouth.posts == []
    deliveries.end(world.db, held.row, "delivered")
    world.pass_time(2)
    world.run()
    assert world.delivery(job_id, 2)["status"] == "delivered"


def test_a_used_resume_url_is_not_posted_again(world: World) -> None:
    job_id = world.submit("missing", callback=RESUME)
    world.reports.missing.add("missing")
    world.run()
    assert world.delivery(job_id)["status"] == "delivered"
    world.reports.missing.clear()
    rounds.replay(world.db, job_id, by="ani")
    world.run()
    row = world.delivery(job_id, 2)
    assert (row["status"], row["error_code"]) == ("not_sent", "resume_url_used")
    assert len(world.mouth.posts) == 1
    assert world.letters(job_id) == []
    assert world.reports.ends[-1].round == 2


def test_a_replay_with_a_new_resume_url_is_told_there(world: World) -> None:
    job_id = world.submit("missing", callback=RESUME)
    world.reports.missing.add("missing")
    world.run()
    world.reports.missing.clear()
    fresh = RESUME.replace("77", "78")
    rounds.replay(world.db, job_id, by="ani", callback=fresh)
    world.run()
    assert world.mouth.posts[-1].url == fresh


def test_running_already_is_tried_again_in_seconds_and_arrives(world: World) -> None:
    job_id = world.submit(callback=RESUME)
    world.mouth.answers = [answer(409, "The execution 77 is running already.")] * 3
    for _ in range(4):
        world.run()
        world.pass_time(5)
    assert tries(world, job_id) == ["failed", "failed", "failed", "delivered"]


def test_a_delivery_owed_for_72_hours_dies_whatever_the_pause(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    for hint in world.relay():
        world.hint(hint)
    pauses.pause(world.db, "host:hooks.example:443", reason="down", by=pauses.OUTAGE, seconds=3600)
    world.run()
    assert world.delivery(job_id)["status"] == "queued"
    world.pass_time(72 * 3600 + 1)
    world.run()
    row = world.delivery(job_id)
    assert (row["status"], row["error_code"], row["recorded_at"] is not None) == ("dead", "webhook_too_old", True)


def test_a_dead_delivery_is_replayed_alone(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    world.mouth.answers = [answer(403)]
    world.run()
    [letter] = world.letters(job_id)
    assert replay_letter(world.db, letter["dead_letter_id"], by="ani") == "replayed"
    world.run()
    assert world.pen.renders == 1
    assert world.delivery(job_id)["status"] == "delivered"
    assert len({post.webhook_id for post in world.mouth.posts}) == 1


def test_a_replayed_delivery_has_its_tries_again(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    world.mouth.answers = [answer(404, '{"code":404}')] * 30
    for _ in range(8):
        world.run()
        world.pass_time(500)
    first = len(world.mouth.posts)
    assert world.delivery(job_id)["status"] == "dead"
    [letter] = world.letters(job_id)
    replay_letter(world.db, letter["dead_letter_id"], by="ani")
    world.run()
    assert len(world.mouth.posts) == first + 1
    assert world.delivery(job_id)["status"] == "queued"


def test_the_rescue_of_a_delivery_that_never_posted_costs_nothing(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    for hint in world.relay():
        world.hint(hint)
    [hint] = world.relay()
    deliveries.claim(world.db, hint.key, worker_id="w", lease=20, timeout=50)
    world.pass_time(21)
    assert world.rescue() == 1
    assert world.delivery(job_id)["tries"] == 0
    world.run()
    assert tries(world, job_id) == ["delivered"]


def test_a_host_holds_at_most_its_share(world_of: WorldOf) -> None:
    world = world_of(webhook_threads=8, webhook_host_share=3)
    world.db.execute(
        "INSERT INTO workers (worker_id, kind, host, pid, threads, version, started_at, seen_at) "
        f"VALUES ('w/webhooks','webhooks','h',1,8,'0',{world.db.now()},{world.db.now()})"
    )
    slow = [world.submit(callback="https://slow.example/x") for _ in range(6)]
    good = [world.submit(callback="https://good.example/x") for _ in range(2)]
    for _ in range(4):
        for hint in [h for h in world.relay() if h.queue == "pdf"]:
            world.hint(hint)
    world.db.execute("UPDATE deliveries SET published_at=NULL, hint_no=hint_no+1")
    hosts = [deliveries.find(world.db, h.key)["host"] for h in world.relay() if h.queue == "webhooks"]  # type: ignore[index]
    hosts += [deliveries.find(world.db, h.key)["host"] for h in world.relay() if h.queue == "webhooks"]  # type: ignore[index]
    assert hosts.count("slow.example:443") == 3
    assert hosts.count("good.example:443") == 2
    assert len(slow) + len(good) == 8


def test_the_plans_bodies(world: World) -> None:
    ok = world.submit(callback=CALLBACK, meta=b'{"execution":7}')
    bad = world.submit("missing", callback=CALLBACK)
    world.reports.missing.add("missing")
    world.run()
    bodies = {body["job_id"]: body for body in world.mouth.bodies}
    assert set(bodies[ok]) == {"type", "job_id", "status", "google_drive_link", "completed_at", "meta"}
    assert bodies[ok]["meta"] == {"execution": 7}
    assert {"type", "job_id", "status", "error", "failed_at", "retry_count", "meta"} <= set(bodies[bad])
    assert bodies[ok]["completed_at"].endswith("Z")


def test_rescue_is_guarded(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    for hint in world.relay():
        world.hint(hint)
    [hint] = world.relay()
    held = deliveries.claim(world.db, hint.key, worker_id="w", lease=20, timeout=50)
    assert isinstance(held, deliveries.DeliveryClaim)
    stale = dict(held.row)
    deliveries.end(world.db, held.row, "delivered")
    assert rescue_delivery(world.db, stale) == ("lost", None)
    assert world.delivery(job_id)["status"] == "delivered"
