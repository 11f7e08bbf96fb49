"""The sweep rescues nobody whom an outage of the database kept from beating (DESIGN §2.6)."""

from __future__ import annotations

from actors.reconcile import Housekeeper
from schema import jobs
from tests.protocol.kit import World


def test_a_new_leader_waits_a_lease_before_it_rescues(world: World) -> None:
    """The relay was started again while the database was away: workers could not beat, and they live."""
    job_id = world.submit()
    held = jobs.claim(world.db, job_id, worker_id="alive", lease=20, timeout=300)
    assert isinstance(held, jobs.Claim)
    world.pass_time(60)
    fresh: Housekeeper = world.runtime.housekeeper

    fresh.step()

    assert world.job(job_id)["status"] == "processing"
    fresh._no_rescue_until -= 20
    fresh.step()
    assert world.attempts(job_id) == ["crashed"]
