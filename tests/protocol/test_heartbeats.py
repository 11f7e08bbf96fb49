"""The timer that ends a hung process leaves a slow one alone; a row tells of threads, not of processes (DESIGN §2.7)."""

from __future__ import annotations

import faulthandler
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from middleware.hooks.heartbeats import Heartbeats
from middleware.hooks.lifecycle import Attempt, Attempts
from schema.metrics import gauges
from schema.rows import jobs, leases, workers
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


def thread(alive: bool) -> threading.Thread:
    made = threading.Thread(target=threading.Event().wait if alive else lambda: None, daemon=True)
    made.start()
    if not alive:
        made.join()
    return made


@pytest.mark.parametrize(
    ("takers", "givers", "threads"),
    [([True, True], [True, True], 2), ([True, False], [True, True], 1), ([True, True], [True, False], 0)],
)
def test_a_workers_row_tells_how_many_threads_can_work(
    world: World, takers: list[bool], givers: list[bool], threads: int
) -> None:
    """A process may live on without them, and without messages they are none."""
    beats: Any = Heartbeats(world.db, Attempts(), worker_id="w", every=60, lease=60, guard_process=False)
    worker = SimpleNamespace(
        consumer_whitelist={"pdf"}, worker_threads=2, workers=[thread(alive) for alive in takers],
        consumers={str(n): thread(alive) for n, alive in enumerate(givers)},
    )  # fmt: skip
    beats.after_worker_boot(None, worker)

    assert workers.threads(world.db, 60, "pdf") == threads
    assert [row["threads"] for row in workers.live(world.db, 60)] == [threads] * (threads > 0)
    read = {
        r.metric.name: r.value for r in gauges.read(world.db, world.runtime.settings) if r.labels == {"queue": "pdf"}
    }
    assert read["reportq_worker_threads"] == threads
    assert read["reportq_workers"] == (threads > 0)
    assert beats._has_died() is (threads < 2)
    beats.attempts.stopping.set()
    assert not beats._has_died()  # they end in order
    beats.after_worker_shutdown(None, worker)
    assert workers.live(world.db, 60) == []


def test_leases_are_kept_up_until_the_last_worker_of_a_process_has_ended(world: World) -> None:
    """The embedded default has two: one waits for a page, the other for somebody's answer."""
    beats: Any = Heartbeats(world.db, Attempts(), worker_id="w", every=60, lease=60, guard_process=False)
    both = [SimpleNamespace(consumer_whitelist={queue}, worker_threads=1) for queue in ("pdf", "webhooks")]
    for worker in both:
        beats.after_worker_boot(None, worker)
    beats.after_worker_shutdown(None, both[0])
    assert beats._thread.is_alive()
    beats.after_worker_shutdown(None, both[1])
    assert not beats._thread.is_alive()
    assert workers.live(world.db, 60) == []
