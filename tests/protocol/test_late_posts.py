"""A POST leaves only while its worker may send it, and an owed one ends at last (DESIGN §2.10, §2.14)."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from actors import delivery
from schema import deliveries, pauses
from tests.protocol.kit import World

URL = "https://hooks.example/webhook/x"


def test_who_was_stopped_before_the_post_sends_nothing_when_it_wakes_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP between the attempt row and the POST: the delivery was rescued and told 2xx meanwhile."""
    job_id = world.submit(callback=URL)
    for hint in world.relay():
        world.hint(hint)
    asleep = [0.0]
    monkeypatch.setattr(delivery, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + asleep[0]))
    begin_post = deliveries.begin_post

    def stopped_meanwhile(*given: Any) -> Any:
        number = begin_post(*given)
        if not asleep[0]:
            asleep[0] = 25.0
            world.pass_time(25)
            world.rescue()
            world.pass_time(7)
            monkeypatch.setattr(deliveries, "begin_post", begin_post)
            world.run()
        return number

    monkeypatch.setattr(deliveries, "begin_post", stopped_meanwhile)
    for hint in world.relay():
        world.hint(hint)

    assert world.delivery(job_id)["status"] == "delivered"
    assert len(world.mouth.posts) == 1


def test_deliveries_owed_for_a_day_die_together_although_their_host_is_paused(world: World) -> None:
    """Not one by one at the pace of probes."""
    ids = [world.submit(callback=URL) for _ in range(4)]
    for hint in world.relay():
        world.hint(hint)
    pauses.pause(world.db, "host:hooks.example:443", reason="does not answer", by=pauses.OUTAGE, seconds=900_000)
    assert [hint for hint in world.relay() if hint.queue == "webhooks"] == []
    world.pass_time(86_401)
    world.run()
    assert [world.delivery(job_id)["error_code"] for job_id in ids] == ["webhook_too_old"] * 4
    assert world.mouth.posts == []
