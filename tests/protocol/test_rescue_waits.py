"""The sweep rescues no worker that could not beat because the database was away (DESIGN §2.6)."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from actors.housekeeping.leader import Housekeeper
from schema.rows import jobs
from schema.sql.database import DatabaseBusy, DatabaseDown
from tests.protocol.kit import World, every_duty


def unheard(world: World) -> str:
    """A job whose worker was not heard of for longer than a lease."""
    job_id = world.submit()
    assert isinstance(jobs.claim(world.db, job_id, worker_id="w", lease=20, timeout=3000), jobs.Claim)
    world.pass_time(60)
    return job_id


def begun(world: World) -> Housekeeper:
    """The housekeeping of a process that begins."""
    fresh = copy.copy(world.runtime.housekeeper)
    fresh._token, fresh._leads, fresh._database_was_away = f"process {id(fresh)}", False, False
    return fresh


def test_a_new_leader_waits_a_lease_before_it_rescues(world: World) -> None:
    """The relay was started again while the database was away: workers could not beat, and they live."""
    job_id = unheard(world)
    fresh: Housekeeper = world.runtime.housekeeper

    every_duty(fresh)

    assert world.job(job_id)["status"] == "processing"
    world.pass_time(20)
    every_duty(fresh)
    assert world.attempts(job_id) == ["crashed"]


@pytest.mark.parametrize("lease", [30.0, 60.0])
def test_relays_that_end_before_a_lease_is_over_rescue_all_the_same(
    world_of: Callable[..., World], lease: float
) -> None:
    """As they do while the broker hangs: each goes on waiting where the last one ended, and none waits anew.

    The last one that must wait begins at 3/5 of the lease, so a machine that stands still for seconds changes nothing.
    """
    world = world_of(lease=lease)
    job_id = unheard(world)
    for _ in range(4):
        every_duty(begun(world))
        world.pass_time(lease / 5)
        assert world.job(job_id)["status"] == "processing"
    world.pass_time(lease / 4)
    every_duty(begun(world))
    assert world.attempts(job_id) == ["crashed"]


def test_a_leader_that_comes_after_a_long_silence_waits_again(world: World) -> None:
    """Nobody knows whether the database was there meanwhile."""
    every_duty(world.runtime.housekeeper)
    world.pass_time(60)
    job_id = unheard(world)
    fresh = begun(world)
    every_duty(fresh)
    assert world.job(job_id)["status"] == "processing"
    world.pass_time(20)
    every_duty(fresh)
    assert world.attempts(job_id) == ["crashed"]


@pytest.mark.parametrize(("error", "waits"), [(DatabaseDown("away"), True), (DatabaseBusy("held rows"), False)])
def test_rescue_waits_after_the_databases_absence_and_not_after_a_held_row(
    world: World, monkeypatch: pytest.MonkeyPatch, error: DatabaseDown, waits: bool
) -> None:
    keeper = world.runtime.housekeeper
    every_duty(keeper)
    world.pass_time(20)
    job_id = unheard(world)

    def fails() -> int:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(keeper.rescue, "step", fails)
        with pytest.raises(DatabaseDown):
            keeper.sweep()
    keeper.sweep()
    assert world.job(job_id)["status"] == ("processing" if waits else "queued")


@pytest.mark.parametrize(
    ("loop", "error", "waits"),
    [
        ("sweep", DatabaseDown("The database did not answer."), True),
        ("sweep", DatabaseBusy("The same rows were wanted by too many."), False),
        ("ask_around", DatabaseDown("The database did not answer."), False),
        ("retention", DatabaseDown("A long statement was cut."), False),
        ("ask_around", DatabaseBusy("The same rows were wanted by too many."), False),
    ],
)
def test_only_the_sweeps_own_loss_of_the_database_puts_rescue_off(
    world: World, monkeypatch: pytest.MonkeyPatch, loop: str, error: Exception, waits: bool
) -> None:
    """What a probe or a look at the letters meets says nothing about whether workers can beat."""
    keeper: Housekeeper = world.runtime.housekeeper
    every_duty(keeper)

    def fails() -> None:
        keeper.stopping.set()
        raise error

    world.pass_time(20)
    if loop == "sweep":
        monkeypatch.setattr(keeper.rescue, "step", fails)
    monkeypatch.setattr(keeper.probes, "step", fails)
    monkeypatch.setattr(keeper.retention, "step", fails)
    keeper.loop(keeper.ask_around if loop == "ask_around" else keeper.sweep)

    assert keeper._database_was_away is waits
