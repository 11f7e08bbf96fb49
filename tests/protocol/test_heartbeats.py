"""The timer that ends a hung process leaves a slow one alone (DESIGN §2.7)."""

from __future__ import annotations

import faulthandler
import time
from typing import Any

import pytest

from middleware.heartbeats import Heartbeats
from middleware.lifecycle import Attempt
from schema import jobs, leases
from tests.protocol.kit import World


def test_each_lease_that_was_prolonged_proves_that_the_process_lives(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen callbacks and a second a statement take longer than some leases."""
    armed: list[float] = []
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda seconds, **_: armed.append(seconds))
    attempts = world.runtime.attempts
    running = []
    for _ in range(3):
        held = jobs.claim(world.db, world.submit(), worker_id="w", lease=20, timeout=300)
        assert isinstance(held, jobs.Claim)
        running.append(Attempt(leases.JOBS, held.row, time.monotonic() + 300))
    monkeypatch.setattr(attempts, "running", lambda: running)
    beats: Any = Heartbeats(world.db, attempts, worker_id="w", every=5, lease=20, guard_process=True)

    beats.beat()

    assert len(armed) == 3
    assert not any(attempt.lost for attempt in running)
