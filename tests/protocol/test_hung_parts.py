"""One part that hangs or breaks keeps no other from its work (DESIGN §2.7, §2.9, §5)."""

from __future__ import annotations

import faulthandler
import threading
import time
from typing import Any

import pytest

from middleware.hooks.heartbeats import Heartbeats
from middleware.hooks.lifecycle import Attempt, Attempts
from middleware.hooks.limits import RenderTimeLimit
from ops.servers.process import wait_until
from schema.life import rounds
from schema.rows import deliveries, jobs, leases, pauses
from schema.rows.deliveries import DeliveryClaim
from schema.rows.rendered import MOST_KEPT
from schema.sql.database import Database, DatabaseBusy
from tests.protocol.kit import World

URL = "https://hooks.example/webhook/x"


def expired(world: World) -> str:
    """A job whose worker has not been heard of for a whole lease."""
    job_id = world.submit()
    assert isinstance(jobs.claim(world.db, job_id, worker_id="gone", lease=20, timeout=300), jobs.Claim)
    return job_id


@pytest.mark.parametrize("error", [RuntimeError("a column is too short"), DatabaseBusy("somebody holds the row")])
def test_a_row_that_cannot_be_rescued_keeps_no_other_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    bad, good = expired(world), expired(world)
    world.pass_time(60)
    rescue = rounds.rescue

    def unless_bad(db: Database, job: dict[str, Any], policy: rounds.RetryPolicy) -> str:
        if job["job_id"] == bad:
            raise error
        return rescue(db, job, policy)

    monkeypatch.setattr(rounds, "rescue", unless_bad)
    world.rescue()
    assert world.attempts(good) == ["crashed"]
    assert world.job(bad)["status"] == "processing"


def test_a_probe_that_hangs_keeps_no_rescue_waiting(world: World) -> None:
    keeper = world.runtime.housekeeper
    asked, answered = threading.Event(), threading.Event()

    def hang() -> None:
        asked.set()
        answered.wait(30)

    keeper.probes.asks["drive"] = hang
    pauses.pause(world.db, "dependency:drive", reason="down", by=pauses.OUTAGE, seconds=0)
    assert keeper.lead()
    keeper._leads = True
    world.pass_time(1)
    threads = [threading.Thread(target=keeper.loop, args=(step,)) for step in (keeper.sweep, keeper.ask_around)]
    for thread in threads:
        thread.start()
    try:
        assert asked.wait(20)
        job_id = expired(world)
        world.pass_time(60)
        wait_until(lambda: world.attempts(job_id) == ["crashed"], 20, "the job is rescued while the probe hangs")
        assert not answered.is_set()
    finally:
        answered.set()
        keeper.stopping.set()
        for thread in threads:
            thread.join(20)


def test_a_slow_callback_does_not_end_the_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    armed: list[float] = []
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda seconds, **_: armed.append(seconds))
    attempts = world.runtime.attempts
    beats: Any = Heartbeats(world.db, attempts, worker_id="w", every=5, lease=20, guard_process=True)
    late = time.monotonic() - 1
    monkeypatch.setattr(attempts, "running", lambda: [Attempt(leases.DELIVERIES, {"start_no": 1}, late)])
    beats._arm()
    monkeypatch.setattr(attempts, "running", lambda: [Attempt(leases.JOBS, {"start_no": 1}, late)])
    beats._arm()
    assert armed == [20, pytest.approx(0.1)]


def test_a_thread_that_hangs_beyond_its_limit_loses_its_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no process can be ended for it: the embedded default."""
    rows = [world.job(expired(world)) for _ in range(2)]
    world.pass_time(10)
    limits = (time.monotonic() - 1, time.monotonic() + 100)
    running = [Attempt(leases.JOBS, row, limit) for row, limit in zip(rows, limits, strict=True)]
    monkeypatch.setattr(world.runtime.attempts, "running", lambda: running)
    beats = Heartbeats(world.db, world.runtime.attempts, worker_id="w", every=5, lease=20, guard_process=False)
    beats.beat()
    world.pass_time(15)
    assert [row["job_id"] for row in leases.JOBS.expired(world.db)] == [rows[0]["job_id"]]


def test_a_thread_that_hangs_beyond_its_limit_loses_its_callback(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when it waits for ever to write its log. With its lease prolonged for ever, nobody sends the callback."""
    job_id = world.submit(callback=URL)
    for hint in world.relay():
        world.hint(hint)
    held = deliveries.claim(world.db, world.delivery(job_id)["delivery_id"], worker_id="w", lease=20, timeout=50)
    assert isinstance(held, DeliveryClaim)
    running = [Attempt(leases.DELIVERIES, held.row, time.monotonic() - 1)]
    monkeypatch.setattr(world.runtime.attempts, "running", lambda: running)
    beats = Heartbeats(world.db, world.runtime.attempts, worker_id="w", every=5, lease=20, guard_process=False)
    world.pass_time(10)
    beats.beat()
    world.pass_time(15)
    world.rescue()
    world.run()
    assert world.delivery(job_id)["status"] == "delivered"


def test_the_time_limit_runs_from_the_claim(world: World) -> None:
    """A thread that waits for its claim, the database being away, must not lose its hint to a limit."""
    attempts = Attempts()
    limit = RenderTimeLimit(attempts, 300)
    message: Any = type("Message", (), {"queue_name": "pdf", "actor_name": "render_pdf", "options": {}})
    limit.before_process_message(world.runtime.broker, message)
    assert limit.manager.deadlines == {}
    attempts.begin(Attempt(leases.JOBS, {"start_no": 1, "job_id": "pdf_1", "round": 1}, 0.0))
    assert limit.manager.deadlines[threading.get_ident()] == pytest.approx(time.monotonic() + 300, abs=30)
    limit.after_process_message(world.runtime.broker, message)
    attempts.begin(Attempt(leases.DELIVERIES, {"start_no": 1, "job_id": "pdf_1", "round": 1}, 0.0))
    assert limit.manager.deadlines[threading.get_ident()] is None


def test_a_statement_that_a_limit_interrupted_gives_the_next_one_no_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit strikes between a question and its answer; the connection must not be used again."""

    class Struck(BaseException):
        pass

    execute = world.db.peewee.execute_sql

    def strike(sql: str, params: Any = None) -> Any:
        connection = world.db.peewee.connection()
        if world.db.dialect == "mysql":
            connection._execute_command(3, sql)  # sent; its answer is not read
        raise Struck

    monkeypatch.setattr(world.db.peewee, "execute_sql", strike)
    with pytest.raises(Struck):
        world.db.scalar("SELECT 1")
    monkeypatch.setattr(world.db.peewee, "execute_sql", execute)
    assert world.db.scalar("SELECT 2") == 2


def test_a_pdf_too_large_to_keep_is_stored_all_the_same(world: World) -> None:
    """Escaped in one statement it would be more than the server takes."""
    world.pen.work = lambda request, progress: b"%PDF" + b"\0'" * (MOST_KEPT // 2)
    job_id = world.submit()
    world.hint(job_id)
    assert (world.job(job_id)["status"], world.job(job_id)["tries"]) == ("completed", 0)


def test_a_high_job_is_published_beside_a_full_window_of_promoted_ones(world: World) -> None:
    for _ in range(100):
        job_id = world.submit(priority=0)
        world.db.execute("UPDATE pdf_job_results SET turn=2 WHERE job_id=%s", (job_id,))
    assert len(world.relay()) == 100
    high = world.submit(priority=9)
    assert [hint.key for hint in world.relay()] == [high]
