"""DESIGN §2.2, §2.4–2.7, §2.12, §2.13: ends, retries, rescue, leases, one file, cancel."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from dramatiq.middleware import TimeLimitExceeded

from schema.errors import DependencyDown, Permanent, Transient
from schema.life import rounds
from schema.life.failures import Failure, RetryPolicy
from schema.ports import RenderRequest
from schema.rows import deliveries, jobs, leadership, leases
from schema.rows.jobs import Claim
from schema.sql.database import DatabaseDown
from tests.protocol.kit import World, every_duty

WorldOf = Callable[..., World]
CALLBACK = "https://hooks.example/webhook/pdf-complete"


def claim(world: World, job_id: str, worker: str = "w1") -> Claim:
    held = jobs.claim(world.db, job_id, worker_id=worker, lease=20, timeout=300)
    assert isinstance(held, Claim)
    return held


def failing(error: Exception) -> Callable[..., NoReturn]:
    def work(*_: object, **__: object) -> NoReturn:
        raise error

    return work


# -- retries and their end ----------------------------------------------------------------------------------------


def test_four_attempts_then_failed_with_three_retries(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    world.pen.work = failing(Transient("The printer is warming up."))
    for _ in range(4):
        world.run()
        world.pass_time(400)
    world.run()

    job = world.job(job_id)
    assert (job["status"], job["retry_count"], job["error_code"]) == ("failed", 3, "temporary_failure")
    assert world.attempts(job_id) == ["failed"] * 4
    [told] = world.mouth.bodies
    assert (told["status"], told["error"], told["retry_count"]) == ("failed", "The printer is warming up.", 3)
    assert world.mouth.posts[0].url == "https://hooks.example/webhook/pdf-failed"
    [letter] = world.letters(job_id)
    assert (letter["attempts"], letter["error_code"]) == (4, "temporary_failure")


def test_retries_wait_in_rows_with_exponential_full_jitter() -> None:
    policy = RetryPolicy(attempts=3, backoff=5, longest=12)
    assert all(0 <= policy.delay(1) <= 5 for _ in range(50))
    assert max(policy.delay(2) for _ in range(200)) > 5
    assert max(policy.delay(9) for _ in range(200)) <= 12


def test_a_retry_is_not_due_before_its_time(world: World) -> None:
    job_id = world.submit()
    world.pen.work = failing(Transient("later"))
    world.db.execute("UPDATE pdf_job_results SET tries=2 WHERE job_id=%s", (job_id,))
    [hint] = world.relay()
    world.hint(hint)
    row = world.db.fetch_one(f"SELECT run_at > {world.db.now()} AS waits, hint_no FROM pdf_job_results")
    assert row is not None
    assert row["waits"]
    assert row["hint_no"] == 1
    assert world.relay() == []


def test_permanent_errors_are_never_retried(world: World) -> None:
    job_id = world.submit("missing")
    world.reports.missing.add("missing")
    world.run()
    job = world.job(job_id)
    assert (job["status"], job["error_code"], job["retry_count"]) == ("failed", "report_not_found", 0)
    assert world.attempts(job_id) == ["failed"]


def test_an_unexpected_error_is_retried_and_shows_no_internals(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    world.pen.work = failing(KeyError("/home/x/secret.py"))
    for _ in range(5):
        world.run()
        world.pass_time(400)
    assert world.attempts(job_id) == ["failed"] * 4
    [told] = world.mouth.bodies
    assert told["error_code"] == "internal_error"
    assert "secret" not in told["error"]
    assert "secret" in world.letters(job_id)[0]["traceback"]


def test_a_timeout_is_retried_like_a_transient_error(world: World) -> None:
    job_id = world.submit()
    world.pen.work = failing(TimeLimitExceeded())
    world.run()
    assert world.attempts(job_id) == ["timeout"]
    assert (world.job(job_id)["status"], world.job(job_id)["tries"]) == ("queued", 1)


# -- one way to end ------------------------------------------------------------------------------------------------


def test_a_stale_worker_changes_nothing(world: World) -> None:
    job_id = world.submit()
    old = claim(world, job_id, "slow")
    world.pass_time(21)
    world.rescue()
    new = claim(world, job_id, "quick")

    assert not rounds.finish(world.db, old.row, "completed", outcome="completed", link="https://old")
    assert rounds.fail(world.db, old.row, Failure("x", "x"), world.runtime.policy) == "lost"
    assert rounds.give_back(world.db, old.row) == "lost"
    assert not leases.JOBS.beat(world.db, job_id, old.start_no, 20)
    with pytest.raises(jobs.LeaseLost):
        jobs.show_progress(world.db, old, "rendering", 50, 20)
    with pytest.raises(jobs.LeaseLost):
        jobs.pass_upload_point(world.db, old, "file-old", 20)
    assert deliveries.of_job(world.db, job_id) == []

    assert rounds.finish(world.db, new.row, "completed", outcome="completed", link="https://new")
    assert not rounds.finish(world.db, new.row, "completed", outcome="completed", link="https://again")
    assert world.job(job_id)["google_drive_link"] == "https://new"
    assert len(deliveries.of_job(world.db, job_id)) == 1
    assert world.attempts(job_id) == ["crashed", "completed"]


def test_an_end_is_written_whole_or_not_at_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = world.submit()
    held = claim(world, job_id)
    monkeypatch.setattr(deliveries, "owe", failing(DatabaseDown("cut in the middle")))
    with pytest.raises(DatabaseDown):
        rounds.finish(world.db, held.row, "completed", outcome="completed", link="x")
    assert world.job(job_id)["status"] == "processing"
    assert world.attempts(job_id) == []


def test_an_end_is_owed_a_delivery_without_a_callback_too(world: World) -> None:
    job_id = world.submit()
    world.run()
    assert world.delivery(job_id)["status"] == "recorded"
    assert [end.job_id for end in world.reports.ends] == [job_id]
    assert world.mouth.posts == []


def test_the_database_away_at_the_outcome_leaves_the_lease_as_the_net(
    world_of: WorldOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(lease=0.5, heartbeat=0.1)
    job_id = world.submit()
    monkeypatch.setattr(rounds, "finish", failing(DatabaseDown("away")))
    monkeypatch.setattr(rounds, "give_back", failing(DatabaseDown("away")))
    world.hint(job_id)
    assert world.job(job_id)["status"] == "processing"
    monkeypatch.undo()
    world.pass_time(21)
    world.rescue()
    world.run()
    assert world.job(job_id)["status"] == "completed"
    assert world.pen.renders == 1  # the rendered bytes were kept
    assert len(world.files.files) == 1


def test_the_database_back_within_the_lease_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = world.submit()
    real, calls = rounds.finish, []

    def away_once(*args: Any, **kwargs: Any) -> bool:
        calls.append(1)
        if len(calls) == 1:
            raise DatabaseDown("away")
        return real(*args, **kwargs)

    monkeypatch.setattr(rounds, "finish", away_once)
    world.hint(job_id)
    assert world.job(job_id)["status"] == "completed"
    assert world.attempts(job_id) == ["completed"]


# -- leases, crashes, rescue ---------------------------------------------------------------------------------------


def test_the_third_crash_ends_the_round(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    for _ in range(3):
        claim(world, job_id)
        world.pass_time(21)
        world.rescue()
    job = world.job(job_id)
    assert (job["status"], job["error_code"], job["retry_count"]) == ("failed", "worker_died", 0)
    assert world.attempts(job_id) == ["crashed"] * 3
    world.run()
    assert world.mouth.bodies[0]["error_code"] == "worker_died"
    assert len(world.letters(job_id)) == 1


def test_a_crash_costs_no_retry_and_a_timeout_found_by_rescue_does(world: World) -> None:
    job_id = world.submit()
    claim(world, job_id)
    world.pass_time(21)
    world.rescue()
    assert (world.job(job_id)["tries"], world.job(job_id)["crashes"]) == (0, 1)
    claim(world, job_id)
    world.pass_time(301)
    world.rescue()
    assert world.attempts(job_id) == ["crashed", "timeout"]
    assert (world.job(job_id)["tries"], world.job(job_id)["crashes"]) == (1, 1)


def test_a_live_lease_is_not_rescued(world: World) -> None:
    job_id = world.submit()
    held = claim(world, job_id)
    world.pass_time(15)
    assert leases.JOBS.beat(world.db, job_id, held.start_no, 20)
    world.pass_time(15)
    assert world.rescue() == 0


def test_after_a_database_failure_of_its_own_the_sweep_waits_one_lease(
    world_of: WorldOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(lease=0.6, heartbeat=0.1, sweep=0.05)
    job_id = world.submit()
    claim(world, job_id)
    world.pass_time(21)
    keeper = world.runtime.housekeeper
    every_duty(keeper)
    leadership.hold_back_rescue(world.db, -1)  # it has led for long: a new leader waits anyway
    with monkeypatch.context() as away:
        away.setattr(keeper.rescue, "step", failing(DatabaseDown("away")))
        away.setattr(keeper.stopping, "wait", lambda seconds: keeper.stopping.set())
        keeper.loop(keeper.sweep)
    assert keeper._leads
    every_duty(keeper)
    assert world.job(job_id)["status"] == "processing"
    time.sleep(0.7)
    every_duty(keeper)
    assert world.job(job_id)["status"] == "queued"


def test_progress_prolongs_the_lease_and_never_runs_backwards(world: World) -> None:
    job_id = world.submit()
    shown: list[int] = []
    leases: list[str] = []

    def work(request: object, progress: Callable[[int], None]) -> bytes:
        for percent in (0, 50, 100):
            time.sleep(0.51)  # shown at most every half second
            progress(percent)
            shown.append(world.job(job_id)["progress"])
            leases.append(str(world.job(job_id)["lease_until"]))
        return b"%PDF-"

    world.pen.work = work
    world.hint(job_id)
    assert shown == sorted(shown)
    assert shown[-1] == 80
    assert leases == sorted(set(leases))
    assert world.job(job_id)["progress"] == 100


def test_a_graceful_stop_gives_the_job_back_at_no_cost(world: World) -> None:
    job_id = world.submit()

    def work(request: object, progress: Callable[[int], None]) -> bytes:
        world.runtime.attempts.stopping.set()
        progress(10)
        return b"never"

    world.pen.work = work
    world.hint(job_id)
    job = world.job(job_id)
    assert (job["status"], job["tries"], job["retry_count"]) == ("queued", 0, 0)
    assert world.attempts(job_id) == ["returned"]


# -- replay -----------------------------------------------------------------------------------------------------------


def test_replay_is_a_new_round_with_a_fresh_budget_and_one_more_delivery(world: World) -> None:
    job_id = world.submit("missing", callback=CALLBACK)
    world.reports.missing.add("missing")
    world.run()
    world.reports.missing.clear()

    assert rounds.replay(world.db, job_id, by="ani") == "replayed"
    assert rounds.replay(world.db, job_id, by="ani") == "not_ended"
    assert world.letters(job_id) == []
    world.run()

    job = world.job(job_id)
    assert (job["status"], job["round"], job["error_code"]) == ("completed", 2, None)
    assert [body["status"] for body in world.mouth.bodies] == ["failed", "completed"]
    assert [post.webhook_id for post in world.mouth.posts] == [f"msg_{job_id}_1", f"msg_{job_id}_2"]
    assert rounds.replay(world.db, job_id, by="ani") == "completed"


def test_a_replay_closes_an_owed_earlier_delivery(world: World) -> None:
    job_id = world.submit("missing", callback=CALLBACK)
    world.reports.missing.add("missing")
    [hint] = world.relay()
    world.hint(hint)
    rounds.replay(world.db, job_id, by="ani", callback="https://hooks.example/webhook/other")
    world.reports.missing.clear()
    world.run()
    assert world.delivery(job_id, 1)["status"] == "superseded"
    assert [post.url for post in world.mouth.posts] == ["https://hooks.example/webhook/other"]


def test_two_replays_at_once_start_one_round(world: World) -> None:
    job_id = world.submit("missing")
    world.reports.missing.add("missing")
    world.run()
    [letter] = world.letters(job_id)
    from schema.life.replays import replay_letter

    assert replay_letter(world.db, letter["dead_letter_id"], by="a") == "replayed"
    assert replay_letter(world.db, letter["dead_letter_id"], by="b") == "resolved"
    assert world.job(job_id)["round"] == 2


# -- one file per job ---------------------------------------------------------------------------------------------


def test_a_failed_upload_costs_no_second_render_and_no_second_file(world: World) -> None:
    job_id = world.submit()
    world.files.fail = [Transient("reset"), Transient("reset")]
    for _ in range(3):
        world.run()
        world.pass_time(400)
    assert world.job(job_id)["status"] == "completed"
    assert (world.pen.renders, world.files.puts, len(world.files.files)) == (1, 3, 1)
    assert world.db.scalar("SELECT COUNT(*) FROM rendered") == 0


def test_a_worker_that_dies_after_the_upload_leaves_one_file(world: World) -> None:
    job_id = world.submit()

    class Killed(BaseException):
        pass

    world.files.after_put = failing(Killed())  # type: ignore[arg-type]
    world.runtime.rendering(job_id)
    with pytest.raises(Killed):
        world.store()
    world.files.after_put = lambda: None
    world.pass_time(21)
    world.rescue()
    world.run()
    assert world.job(job_id)["status"] == "completed"
    assert (world.pen.renders, len(world.files.files)) == (1, 1)


def test_a_later_round_replaces_the_content_of_the_same_file(world: World) -> None:
    job_id = world.submit()
    world.pen.work = lambda request, progress: b"first"

    def dies_after_upload() -> None:
        raise Permanent("broken after the upload", code="invalid_data")

    world.files.after_put = dies_after_upload
    world.run()
    assert world.job(job_id)["status"] == "failed"
    world.files.after_put = lambda: None
    world.pen.work = lambda request, progress: b"second"
    rounds.replay(world.db, job_id, by="ani")
    world.run()
    assert list(world.files.files.values()) == [b"second"]


def test_a_spent_artifact_id_is_replaced(world: World) -> None:
    job_id = world.submit()
    world.files.fail = [Permanent("deleted by a person", code="artifact_gone")]
    world.run()
    assert world.job(job_id)["status"] == "completed"
    assert world.job(job_id)["artifact_id"] in world.files.files


# -- cancel ------------------------------------------------------------------------------------------------------------


def test_a_waiting_job_is_cancelled_at_once_and_told_to_the_failure_url(world: World) -> None:
    job_id = world.submit(callback=CALLBACK)
    assert rounds.cancel(world.db, job_id) == "cancelled"
    assert rounds.cancel(world.db, job_id) == "cancelled_before"
    world.run()
    assert world.pen.renders == 0
    assert [post.url for post in world.mouth.posts] == ["https://hooks.example/webhook/pdf-failed"]
    assert world.mouth.bodies[0]["status"] == "cancelled"
    assert world.letters(job_id) == []


def test_a_working_job_is_cancelled_at_its_next_checkpoint(world: World) -> None:
    job_id = world.submit()

    def work(request: object, progress: Callable[[int], None]) -> bytes:
        assert rounds.cancel(world.db, job_id) == "requested"
        assert rounds.cancel(world.db, job_id) == "requested"
        return b"too far"

    world.pen.work = work
    world.hint(job_id)
    assert world.job(job_id)["status"] == "cancelled"
    assert world.files.puts == 0


@pytest.mark.parametrize("end", ["retry", "permanent", "rescue", "overdue", "third crash", "return"])
def test_cancel_wins_over_retry_rescue_and_return(world: World, end: str) -> None:
    job_id = world.submit()
    if end == "third crash":
        world.db.execute("UPDATE pdf_job_results SET crashes=2 WHERE job_id=%s", (job_id,))
    if end in ("rescue", "overdue", "third crash"):
        claim(world, job_id)
        rounds.cancel(world.db, job_id)
        world.pass_time(301 if end == "overdue" else 21)
        world.rescue()
    else:

        def work(request: object, progress: Callable[[int], None]) -> bytes:
            rounds.cancel(world.db, job_id)
            if end == "return":
                world.runtime.attempts.stopping.set()
                progress(1)
            raise Permanent("no") if end == "permanent" else Transient("no")

        world.pen.work = work
        world.hint(job_id)
    assert world.job(job_id)["status"] == "cancelled"
    assert world.letters(job_id) == []
    assert world.delivery(job_id)["event"] == "cancelled"


def test_a_cancel_between_the_look_and_the_end_wins_over_the_failure(world: World) -> None:
    job_id = world.submit()
    held = claim(world, job_id)
    assert rounds.cancel(world.db, job_id) == "requested"
    assert not rounds.finish(world.db, held.row, "failed", outcome="failed", failure=Failure("x", "x"))
    assert rounds.fail(world.db, held.row, Failure("x", "x", permanent=True), world.runtime.policy) == "cancelled"


def test_it_is_too_late_once_the_upload_began(world: World) -> None:
    job_id = world.submit()
    seen: list[str] = []
    world.files.after_put = lambda: seen.append(rounds.cancel(world.db, job_id))
    world.hint(job_id)
    assert seen == ["too_late"]
    assert world.job(job_id)["status"] == "completed"
    assert rounds.cancel(world.db, job_id) == "already"


def test_too_late_holds_for_the_whole_round(world: World) -> None:
    job_id = world.submit()
    world.files.fail = [DependencyDown("drive", "away")]
    world.hint(job_id)
    assert world.job(job_id)["status"] == "queued"
    assert rounds.cancel(world.db, job_id) == "too_late"
    claim_again = claim_when_due(world, job_id)
    assert claim_again.start_no == 2
    assert rounds.cancel(world.db, job_id) == "too_late"


def claim_when_due(world: World, job_id: str) -> Claim:
    world.pass_time(400)
    return claim(world, job_id)


def test_the_workers_clock_decides_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    job_id = world.submit()
    world.run()
    assert world.job(job_id)["status"] == "completed"
    age = world.db.scalar(f"SELECT {world.db.age('ended_at')} FROM pdf_job_results")
    assert -1 < float(age) < 60


@pytest.mark.parametrize(("missing", "drawn"), [((), "pEn"), (("pEn",), "p"), (("pEn", "p"), None)])
def test_an_edition_draws_the_report_of_its_original_when_it_has_none(
    world: World, missing: tuple[str, ...], drawn: str | None
) -> None:
    requests: list[RenderRequest] = []
    world.pen.work = lambda request, _: requests.append(request) or b"%PDF-1"  # type: ignore[func-returns-value]
    world.reports.missing = {("K1", product) for product in missing}
    job_id = world.submit()
    world.db.execute("UPDATE pdf_job_results SET product_id='pEn' WHERE job_id=%s", (job_id,))
    world.hint(job_id)
    assert [(one.product_id, one.report["of"]) for one in requests] == ([("pEn", drawn)] if drawn else [])
    assert world.job(job_id)["error_code"] == (None if drawn else "report_not_found")


def test_a_product_that_does_not_exist_is_said_before_the_report_is_missed(world: World) -> None:
    world.reports.missing = {"K1"}
    job_ids = [world.submit("K1"), world.submit("K1")]
    world.db.execute("UPDATE pdf_job_results SET product_id='noSuchProduct' WHERE job_id=%s", (job_ids[0],))
    for job_id in job_ids:
        world.hint(job_id)
    assert [world.job(job_id)["error_code"] for job_id in job_ids] == ["template_not_found", "report_not_found"]
