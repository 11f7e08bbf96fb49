"""A POST leaves only while its worker may send it, and an owed one ends at last (DESIGN §2.10, §2.14)."""

from __future__ import annotations

import math
import time
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from actors.deliver import delivery
from schema.rows import deliveries, pauses
from tests.protocol.kit import World, answer

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


def test_deliveries_owed_for_72_hours_die_together_although_their_host_is_paused(world: World) -> None:
    """Not one by one at the pace of probes."""
    ids = [world.submit(callback=URL) for _ in range(4)]
    for hint in world.relay():
        world.hint(hint)
    pauses.pause(world.db, "host:hooks.example:443", reason="does not answer", by=pauses.OUTAGE, seconds=900_000)
    assert [hint for hint in world.relay() if hint.queue == "webhooks"] == []
    world.pass_time(72 * 3600 + 1)
    world.run()
    assert [world.delivery(job_id)["error_code"] for job_id in ids] == ["webhook_too_old"] * 4
    assert world.mouth.posts == []


def test_a_callback_is_tried_for_72_hours_and_last_just_before_they_are_over(world: World) -> None:
    """Its receiver is away from Friday evening to Monday: whatever the jitter was, no try is cut off by the deadline."""
    job_id = world.submit(callback="https://hooks.example/webhook/x")
    world.mouth.answers = [answer(500)] * 100
    passed, tried_at = 0, []
    world.run()
    while world.delivery(job_id)["status"] != "dead":
        wait = math.ceil(max(1.0, float(world.db.scalar(f"SELECT -{world.db.age('run_at')} FROM deliveries"))))
        world.pass_time(wait)
        passed += wait
        world.run()
        tried_at += [passed / 3600] * (len(world.mouth.posts) - 1 - len(tried_at))
    gaps = [later - earlier for earlier, later in pairwise(tried_at)]
    assert 65 < tried_at[-1] < 72
    assert max(gaps) < 7.3
