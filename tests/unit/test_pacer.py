"""The pace against simulated services: buckets that refill at a rate which nobody tells, and uploads that take a second."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from statistics import fmean

import pytest

from schema.rows.pacer import Pace, grant, judge

PROCESSES, WRITERS = 5, 8  # processes, and writers of each, of which one asks at a time
STEP = 0.05


@dataclass
class Ran:
    """What a run did; moments are seconds from its start."""

    written: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def share(self, limit: Callable[[float], float]) -> float:
        """Of what the limit allowed until the last write."""
        return len(self.written) / sum(limit(step * STEP) * STEP for step in range(int(self.written[-1] / STEP)))

    def refusals(self) -> float:
        return len(self.refused) / (len(self.written) + len(self.refused))

    def between(self, start: float, end: float) -> int:
        return sum(start <= moment < end for moment in self.written)


def run(
    limit: Callable[[float], float], *, seed: int, writes: int = 10**9, seconds: float = 10**9, bucket: float = 10,
    told_after: float = 0.1, retry_after: float | None = None,
) -> Ran:  # fmt: skip
    """Writers that ask, write for a second and report; a refusal is told sooner. No clock, no chance but the seed's."""
    chance, pace, ran, order = random.Random(seed), Pace(rate=5.0), Ran(), count()
    events: list[tuple[float, int, Callable[[float], None]]] = []
    left, tokens, filled, origin = writes, bucket, 0.0, 1000.0
    free, asking = [WRITERS] * PROCESSES, [False] * PROCESSES

    def at(moment: float, what: Callable[[float], None]) -> None:
        heapq.heappush(events, (moment, next(order), what))

    def look(now: float, process: int) -> None:
        if left > 0 and free[process] and not asking[process]:
            asking[process] = True
            at(now + chance.uniform(0.002, 0.01), lambda then: ask(then, process))

    def ask(now: float, process: int) -> None:
        nonlocal left
        granted, wait = grant(pace, origin + now, 1)
        asking[process] = False
        if granted:
            left -= 1
            free[process] -= 1
            number = pace.number
            at(now + chance.uniform(0, 0.1), lambda then: arrive(then, now, number, process))
            look(now, process)
        elif left > 0:
            asking[process] = True
            at(now + min(wait, 1.0), lambda then: ask(then, process))

    def arrive(now: float, granted_at: float, number: int, process: int) -> None:
        nonlocal tokens, filled
        while filled < now:
            tokens = min(bucket, tokens + limit(filled) * min(STEP, now - filled))
            filled += STEP
        filled = now
        taken = tokens >= 1
        tokens -= taken
        (ran.written if taken else ran.refused).append(now)
        told = now + (chance.uniform(1.0, 1.1) if taken else told_after)
        at(told, lambda then: tell(then, granted_at, number, process, taken))

    def tell(now: float, granted_at: float, number: int, process: int, taken: bool) -> None:
        nonlocal left
        left += not taken
        free[process] += 1
        judge(
            pace, origin + now, granted_at=origin + granted_at, number=number, written=taken, refused=not taken,
            retry_after=None if taken else retry_after, jitter=chance.random(),
        )  # fmt: skip
        for each in range(PROCESSES) if not taken else (process,):
            look(now, each)

    for process in range(PROCESSES):
        look(0.0, process)
    while events:
        now, _, what = heapq.heappop(events)
        if now > seconds:
            break
        what(now)
    return ran


def changing(now: float) -> float:
    return 3 if now < 60 else 1 if now < 120 else 6


@pytest.mark.parametrize("told_after", [0.1, 0.5])
def test_a_limit_that_falls_and_rises_is_used_and_hardly_exceeded(told_after: float) -> None:
    """600 writes where 3/s are allowed for a minute, then 1/s for a minute, then 6/s."""
    runs = [run(changing, seed=seed, writes=600, told_after=told_after) for seed in range(12)]
    assert fmean(one.share(changing) for one in runs) >= 0.93
    assert fmean(one.refusals() for one in runs) <= 0.05
    assert all(one.share(changing) >= 0.87 for one in runs)
    assert all(one.refusals() <= 0.065 for one in runs)


def test_without_a_limit_the_pace_is_soon_no_hindrance() -> None:
    ran = run(lambda now: 1e9, seed=1, seconds=60)
    assert ran.between(3, 4) >= 25
    assert len(ran.written) >= 0.9 * PROCESSES * WRITERS * 60 / 1.11  # what as many writers do that never ask
    assert not ran.refused


@pytest.mark.parametrize("allowed", [1, 3, 6, 10])
def test_a_steady_limit_is_used(allowed: float) -> None:
    ran = run(lambda now: allowed, seed=1, seconds=180)
    assert ran.share(lambda now: allowed) >= 0.93


def test_retry_after_is_honoured() -> None:
    ran = run(lambda now: 0, seed=1, seconds=300, bucket=0, retry_after=60)
    bursts = [moment for moment in ran.refused if moment > 2]
    assert bursts
    assert min(bursts) >= 60


def test_a_limit_that_disappears_is_found() -> None:
    ran = run(lambda now: 2 if now < 60 else 1e9, seed=1, seconds=150)
    assert ran.between(105, 110) >= 0.8 * WRITERS * 5


def test_a_service_that_refuses_everything_is_tried_rarely_and_served_again() -> None:
    allowed: Callable[[float], float] = lambda now: 0 if 30 <= now < 90 else 3  # noqa: E731
    ran = run(allowed, seed=1, seconds=150)
    assert sum(45 < moment < 90 for moment in ran.refused) <= 10
    assert ran.between(115, 150) >= 0.8 * 3 * 35


def test_writes_granted_before_a_refusal_lower_the_pace_once_more_only_by_what_they_teach() -> None:
    pace = Pace(rate=5.0)
    granted, _ = grant(pace, 1000.0, 5)
    for number in range(granted):
        judge(
            pace, 1001.0, granted_at=1000.0, number=number + 1, written=0, refused=1, retry_after=None, jitter=0.5
        )  # fmt: skip
    assert pace.streak == 1
    assert pace.rate == pytest.approx(5 / 3)
