"""DESIGN §2.14: a dependency found down pauses itself, burns no retries, and is probed by one."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from actors.deliver.host_pauses import MOST_PATHS
from schema.callbacks.urls import lane_key
from schema.errors import DependencyDown
from schema.rows import pauses, posts
from tests.protocol.kit import World, answer

DOWN = DependencyDown("drive", "Google Drive does not answer.")
WorldOf = Callable[..., World]


def test_three_errors_of_two_jobs_pause_the_dependency_and_cost_nothing(world: World) -> None:
    first, second, third = (world.submit() for _ in range(3))
    world.files.fail = [DOWN, DOWN, DOWN]
    for job_id in (first, second, third):
        world.hint(job_id)

    [pause] = world.db.fetch_all("SELECT * FROM pauses")
    assert (pause["scope"], pause["set_by"]) == ("dependency:drive", "outage")
    for job_id in (first, second, third):
        job = world.job(job_id)
        assert (job["status"], job["tries"], job["retry_count"]) == ("queued", 0, 0)
        assert world.attempts(job_id) == ["returned"]
    world.pass_time(300)
    assert [h for h in world.relay() if h.queue == "pdf"] == []


def test_errors_of_one_job_pause_it_only_after_a_while(world: World) -> None:
    job_id = world.submit()
    world.files.fail = [DOWN] * 4
    for _ in range(3):
        world.db.execute(f"UPDATE pdf_job_results SET run_at={world.db.now()}")
        world.hint(job_id)
    assert world.db.fetch_all("SELECT * FROM pauses") == []
    world.pass_time(11)
    world.db.execute(f"UPDATE pdf_job_results SET run_at={world.db.now()}")
    world.hint(job_id)
    assert len(world.db.fetch_all("SELECT * FROM pauses")) == 1
    assert world.job(job_id)["tries"] == 0


def test_a_success_in_between_ends_the_streak(world: World) -> None:
    a, b, c = (world.submit() for _ in range(3))
    world.files.fail = [DOWN, DOWN]
    world.hint(a)
    world.hint(b)
    world.runtime.board.active(fresh=True)
    world.hint(c)
    assert world.job(c)["status"] == "completed"
    world.files.fail = [DOWN]
    world.pass_time(400)
    world.hint(a)
    assert world.db.fetch_all("SELECT * FROM pauses") == []


def test_the_last_try_is_not_lost_to_the_first_error_of_an_outage(world: World) -> None:
    job_id = world.submit()
    world.db.execute("UPDATE pdf_job_results SET tries=3, retry_count=3")
    world.files.fail = [DOWN]
    world.hint(job_id)
    assert (world.job(job_id)["status"], world.job(job_id)["tries"]) == ("queued", 3)
    assert world.attempts(job_id) == ["returned"]


def test_a_job_that_alone_makes_the_store_fail_dies_in_the_end(world: World) -> None:
    """Others succeed in between, so it is no outage: its budget runs out."""
    job_id = world.submit()
    for _ in range(12):
        world.files.fail = [DOWN]
        world.pass_time(400)
        world.hint(job_id)
        world.files.fail = []
        other = world.submit()
        world.runtime.board.active(fresh=True)
        world.hint(other)
        if world.job(job_id)["status"] == "failed":
            break
    assert world.job(job_id)["status"] == "failed"
    assert world.db.fetch_all("SELECT * FROM pauses") == []


def test_one_prober_asks_and_lifts_the_pause(world: World) -> None:
    pauses.pause(world.db, "dependency:drive", reason="down", by=pauses.OUTAGE, seconds=5)
    job_id = world.submit()
    asked: list[int] = []
    keeper = world.runtime.housekeeper
    keeper.probes.asks["drive"] = lambda: asked.append(1)
    keeper.probes.step()
    assert asked == []  # not due yet
    world.pass_time(6)
    winners: list[bool] = []
    start = threading.Barrier(4)

    def race() -> None:
        start.wait()
        winners.append(pauses.win_probe(world.db, "dependency:drive", 5))
        world.db.close()

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(winners) == [False, False, False, True]
    world.pass_time(6)
    keeper.probes.step()
    assert asked == [1]
    assert world.db.fetch_all("SELECT * FROM pauses") == []
    world.run()
    assert world.job(job_id)["status"] == "completed"


def test_a_probe_that_fails_keeps_the_pause(world: World) -> None:
    pauses.pause(world.db, "dependency:drive", reason="down", by=pauses.OUTAGE, seconds=0)
    world.files.fail = [DOWN]
    world.pass_time(1)
    world.runtime.housekeeper.probes.step()
    assert len(world.db.fetch_all("SELECT * FROM pauses")) == 1


def test_an_operators_pause_is_not_lifted_by_a_probe(world: World) -> None:
    pauses.pause(world.db, "queue:pdf", reason="moving house", by="ani")
    world.pass_time(100_000)
    world.runtime.housekeeper.probes.step()
    assert world.runtime.board.blocking("pdf", fresh=True) is not None


def test_a_host_that_does_not_answer_is_paused_and_probed_by_its_oldest_delivery(world_of: WorldOf) -> None:
    world = world_of(host_probe_every=30)
    ids = [world.submit(callback="https://hooks.example/webhook/x") for _ in range(3)]
    for hint in world.relay():
        world.hint(hint)
    world.mouth.answers = [answer(None, failure="connect")] * 50
    posted = 0
    while not world.db.fetch_all("SELECT * FROM pauses"):
        for hint in world.relay():
            world.hint(hint)
        world.db.execute(f"UPDATE deliveries SET run_at={world.db.now()} WHERE status='queued'")
        posted += 1
        assert posted < 20
    world.mouth.answers.clear()
    posted = len(world.mouth.posts)
    assert 5 <= posted <= 6  # one more may have been in the broker
    assert sum(world.delivery(job_id)["tries"] for job_id in ids) == posted  # those count, waiting does not
    world.pass_time(20)
    world.runtime.board.active(fresh=True)
    world.db.execute(f"UPDATE deliveries SET run_at={world.db.now()}")
    world.db.execute(f"UPDATE pauses SET until={world.db.later(10)}")
    assert world.relay() == []
    world.pass_time(31)
    [probe] = world.relay()
    assert world.relay() == []
    world.hint(probe)
    assert world.db.fetch_all("SELECT * FROM pauses") == []
    world.pass_time(400)
    world.run()
    assert all(world.delivery(job_id)["status"] == "delivered" for job_id in ids)


def test_one_delivery_alone_pauses_no_host(world: World) -> None:
    job_id = world.submit(callback="https://hooks.example/webhook/x")
    world.mouth.answers = [answer(None, failure="connect")] * 7
    for _ in range(7):
        world.run()
        world.pass_time(40_000 / 7)
    assert world.db.fetch_all("SELECT * FROM pauses") == []
    assert len(posts.of(world.db, world.delivery(job_id)["delivery_id"])) >= 6


def test_mongodb_down_at_the_record_pauses_it_for_everybody(world: World) -> None:
    ids = [world.submit() for _ in range(3)]
    world.reports.fail = [DependencyDown("mongodb", "away")] * 3
    world.run()
    [pause] = world.db.fetch_all("SELECT * FROM pauses")
    assert pause["scope"] == "dependency:mongodb"
    assert all(world.delivery(job_id)["tries"] == 0 for job_id in ids)


def test_an_operators_pause_is_neither_taken_over_nor_lifted_by_an_outage(world: World) -> None:
    """Work that was under way when the operator paused meets errors, and later an answer."""
    for scope in ("dependency:drive", "host:hooks.example:443"):
        pauses.pause(world.db, scope, reason="maintenance", by="ana")
        for n in range(6):
            pauses.note_failure(
                world.db, scope, (f"k{n}", 1), streak=3, owners=2, window=10, probe_every=0.0, reason="does not answer"
            )
        assert not pauses.win_probe(world.db, scope, 5)
        assert not pauses.resume(world.db, scope, outages_only=True)
        [row] = world.db.fetch_all("SELECT set_by, reason FROM pauses WHERE scope=%s", (scope,))
        assert (row["set_by"], row["reason"]) == ("ana", "maintenance")
        assert pauses.resume(world.db, scope)


def post_to(world: World, path: str, answered: int | str | None) -> str:
    """One callback to that path of hooks.example, answered so (a word: a failure); the job's id."""
    job_id = world.submit(callback=f"https://hooks.example{path}")
    for hint in world.relay():
        if hint.queue == "pdf":
            world.hint(hint)
    failure = answered if isinstance(answered, str) else None if answered else "connect"
    world.mouth.answers = [answer(None if failure else answered, failure=failure)]  # type: ignore[arg-type]
    world.hint(world.delivery(job_id)["delivery_id"], "webhooks")
    world.runtime.board.active(fresh=True)
    return job_id


WAITING = [f"/webhook-waiting/{n}?signature={n}" for n in range(6)]
HOOKS = "host:hooks.example:443"
SLOW = f"host:{lane_key('https://hooks.example/webhook/slow')}"
Answers = list[int | str | None]


@pytest.mark.parametrize(
    ("paths", "answers", "paused"),
    [
        (WAITING[:3], [502, 503, 502], True),
        (["/webhook/a", "/webhook/b", "/webhook/c"], [503] * 3, True),
        (["/webhook/a", "/webhook/b", "/webhook/a", "/webhook/b", "/webhook/c"], [502] * 5, True),
        (WAITING[:2], [502] * 2, False),
        (WAITING[:3], ["timeout"] * 3, True),
        (["/webhook/a", "/webhook/b", "/webhook/c"], ["timeout", 502, "timeout"], True),
        (["/webhook/a", "/webhook/b", "/x/c", "/x/d"], ["timeout", "timeout", 404, "timeout"], False),
        (["/webhook/a"] * 4, ["connect"] * 4, False),
        (["/webhook/a"] * 5, ["connect"] * 5, True),  # also on one path: the port is shut
        (WAITING[:6], ["reset", "tls", "reset", "too_large", "reset", "tls"], False),
        (WAITING[:5], [502, 502, 200, 502, 502], False),
        (WAITING[:5], [502, 502, 404, 502, 502], False),
        (WAITING[:5], [502, 502, None, 502], True),  # silence is no answer in between
        (WAITING[:6], [500, 500, 500, 504, 504, 504], False),
    ],
)
def test_a_host_whose_proxy_answers_for_it_is_paused_like_one_that_is_silent(
    world: World, paths: list[str], answers: Answers, paused: bool
) -> None:
    for path, answered in zip(paths, answers, strict=False):
        post_to(world, path, answered)
    rows = world.db.fetch_all("SELECT scope, set_by FROM pauses")
    assert rows == ([{"scope": HOOKS, "set_by": "outage"}] if paused else [])


@pytest.mark.parametrize(
    ("paths", "answers", "paused"),
    [
        (["/webhook/slow"] * 3, ["timeout"] * 3, True),
        ([f"/webhook/slow?n={n}" for n in range(3)], [503, "timeout", 502], True),
        (["/webhook/slow", "/b", "/webhook/slow", "/b", "/webhook/slow"], ["timeout", 200, "timeout", 200, 502], True),
        (["/webhook/slow", "/b", "/webhook/slow", "/b", "/webhook/slow"], [502, 502, 502, 502, 502], True),
        (["/webhook/slow"] * 5, ["timeout", "timeout", 200, "timeout", "timeout"], False),
        (["/webhook/slow"] * 5, ["timeout", "timeout", 404, 502, 503], False),
        (["/webhook/slow"] * 6, [500, 500, 504, 504, 500, "reset"], False),
    ],
)
def test_a_path_that_is_slow_or_fails_alone_pauses_itself_alone(
    world: World, paths: list[str], answers: Answers, paused: bool
) -> None:
    for path, answered in zip(paths, answers, strict=True):
        post_to(world, path, answered)
    assert list(pauses.in_force(world.db)) == ([SLOW] if paused else [])


def test_one_delivery_alone_pauses_no_path(world: World) -> None:
    job_id = post_to(world, "/webhook/slow", "timeout")
    for _ in range(5):
        world.mouth.answers = [answer(None, failure="timeout")]
        world.db.execute(f"UPDATE deliveries SET run_at={world.db.now()}")
        world.hint(world.delivery(job_id)["delivery_id"], "webhooks")
    assert len(posts.of(world.db, world.delivery(job_id)["delivery_id"])) == 6
    assert pauses.in_force(world.db) == {}


def owed_to(world: World, *paths: str) -> list[str]:
    """A callback to each of these paths of hooks.example, due and not yet published; the jobs' ids."""
    ids = [world.submit(callback=f"https://hooks.example{path}") for path in paths]
    for hint in world.relay():
        if hint.queue == "pdf":
            world.hint(hint)
    return ids


def test_a_slow_path_keeps_no_other_path_of_its_host_waiting(world_of: WorldOf) -> None:
    world = world_of(host_probe_every=30, webhook_threads=16, webhook_host_share=8)
    for _ in range(3):
        post_to(world, "/webhook/slow", "timeout")
    slow = owed_to(world, *["/webhook/slow"] * 30)
    healthy = owed_to(world, *(f"/webhook/{n % 3}" for n in range(8)))
    world.run()
    assert {world.delivery(job_id)["status"] for job_id in healthy} == {"delivered"}
    assert {world.delivery(job_id)["tries"] for job_id in slow} == {0}

    hint = pauses.hint_of(world.db, world.delivery(slow[0]))  # type: ignore[arg-type]
    assert hint is not None
    assert "one path of host:hooks.example:443 is paused: https://hooks.example/webhook/slow" in hint
    world.mouth.answers = [answer(None, failure="timeout")]
    world.pass_time(31)
    [probe] = world.relay()
    world.hint(probe)
    assert list(pauses.in_force(world.db)) == [SLOW]
    assert world.relay() == []
    world.pass_time(31)
    [probe] = world.relay()
    world.hint(probe)
    assert pauses.in_force(world.db) == {}
    world.run()
    assert sum(world.delivery(job_id)["status"] == "delivered" for job_id in slow) >= 29
    assert pauses.hint_of(world.db, world.delivery(slow[-1])) is None  # type: ignore[arg-type]


def test_the_probe_is_the_delivery_with_the_fewest_tries(world: World) -> None:
    often, seldom, later = owed_to(world, "/a", "/b", "/c")
    world.published.take()
    world.db.execute(
        f"UPDATE deliveries SET published_at=NULL, relay_token=NULL, relay_until=NULL, run_at={world.db.now()}"
    )
    for tries, job_id in ((7, often), (1, seldom), (1, later)):
        world.db.execute("UPDATE deliveries SET tries=%s WHERE job_id=%s", (tries, job_id))
        world.pass_time(1)
    world.db.execute(f"UPDATE deliveries SET run_at={world.db.later(-9)} WHERE job_id=%s", (seldom,))
    pauses.pause(world.db, HOOKS, reason="down", by=pauses.OUTAGE, seconds=0)
    [probe] = world.relay()
    assert probe.key == world.delivery(seldom)["delivery_id"]


def test_a_paused_host_is_probed_by_a_lane_when_nothing_else_is_owed(world: World) -> None:
    for _ in range(3):
        post_to(world, "/webhook/slow", "timeout")
    world.db.execute(f"UPDATE deliveries SET run_at={world.db.now()}")
    assert world.relay() == []  # all are put into the lane
    assert {row["host"] for row in world.db.fetch_all("SELECT host FROM deliveries")} == {SLOW.removeprefix("host:")}
    pauses.pause(world.db, HOOKS, reason="down", by="ani")
    world.pass_time(100)
    assert world.relay() == [], "an operator's pause of the host holds its lanes too"
    pauses.resume(world.db, HOOKS)
    pauses.pause(world.db, HOOKS, reason="down", by=pauses.OUTAGE, seconds=0)
    [probe] = world.relay()
    world.hint(probe)
    assert pauses.in_force(world.db) == {}, "the answer lifts both"


def test_a_path_to_which_nothing_is_owed_is_not_paused_for_ever(world: World) -> None:
    ids = [post_to(world, "/webhook/slow", "timeout") for _ in range(3)]
    world.db.execute("UPDATE deliveries SET status='dead'")
    world.pass_time(100)
    assert world.relay() == []
    assert pauses.in_force(world.db) == {}
    assert len(ids) == 3


def test_so_many_paths_of_a_host_are_paused_at_once_and_their_names_fit(world: World) -> None:
    for n in range(MOST_PATHS + 2):
        for _ in range(3):
            post_to(world, f"/{'long' * 300}/{n}?{'q' * 700}", "timeout")
            post_to(world, "/webhook/well", 200)
    assert len(pauses.in_force(world.db)) == MOST_PATHS
    [row] = world.db.fetch_all("SELECT members FROM dependencies WHERE scope=%s", ("paths:hooks.example:443",))
    assert len(row["members"]) < 2000


def test_a_bad_gateway_neither_lifts_a_silent_hosts_pause_nor_ends_its_streak(world: World) -> None:
    for path in WAITING[:4]:
        post_to(world, path, None)
    post_to(world, "/webhook/a", 502)
    post_to(world, WAITING[4], None)
    assert [row["scope"] for row in world.db.fetch_all("SELECT scope FROM pauses")] == ["host:hooks.example:443"]
    post_to(world, "/webhook/a", 503)
    assert len(world.db.fetch_all("SELECT scope FROM pauses")) == 1
    post_to(world, "/webhook/a", 200)
    assert world.db.fetch_all("SELECT scope FROM pauses") == []
    assert world.db.fetch_all("SELECT scope FROM dependencies WHERE failures > 0") == []


def test_a_full_store_pauses_at_its_first_error_and_burns_nothing(world: World) -> None:
    """Its prober stores a file: a folder that answers, and takes nothing, is not back."""
    full = DependencyDown("drive", "There is no room.", code="drive_quota_exceeded", at_once=True)
    job_ids = [world.submit(f"K{n}") for n in range(5)]
    world.files.fail = [full]
    hints = world.relay()
    world.hint(hints[0])
    assert [row["code"] for row in pauses.in_force(world.db).values()] == ["drive_quota_exceeded"]
    world.runtime.board.active(fresh=True)
    for hint in hints[1:]:
        world.hint(hint)
    assert world.files.puts == 1, "nobody else tries"
    asked: list[int] = []
    probes = world.runtime.housekeeper.probes
    probes.asks["drive"] = lambda: asked.append(1)
    world.files.fail = [full, full]
    world.pass_time(10)
    probes.step()
    assert "dependency:drive" in pauses.in_force(world.db)
    world.files.fail = []
    world.pass_time(10)
    probes.step()
    assert not pauses.in_force(world.db)
    assert not asked, "its answer would say nothing"
    world.pass_time(60)
    world.run()
    assert {world.job(job_id)["status"] for job_id in job_ids} == {"completed"}
    assert {world.job(job_id)["tries"] + world.job(job_id)["retry_count"] for job_id in job_ids} == {0}
    assert not world.db.fetch_all("SELECT 1 FROM dead_letters")


def test_a_spent_day_is_not_asked_about_before_it_is_over(world: World) -> None:
    error = DependencyDown("drive", "The day is spent.", code="drive_daily_limit", at_once=True, pause=7200.0)
    world.submit()
    world.files.fail = [error]
    world.hint(world.relay()[0])
    asked: list[int] = []
    probes = world.runtime.housekeeper.probes
    probes.asks["drive"] = lambda: asked.append(1)
    world.pass_time(7100)
    probes.step()
    assert not asked
    world.pass_time(200)
    probes.step()
    assert asked
