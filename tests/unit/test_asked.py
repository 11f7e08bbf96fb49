"""Dependencies are asked side by side, and nothing old is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from ops.servers.process import wait_until
from schema.errors import Transient
from service import asked
from service.asked import Asked


class Clock:
    """Time that moves when told to; who sleeps is woken by the test."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asleep = threading.Semaphore(0)
        self.wake = threading.Semaphore(0)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.asleep.release()
        assert self.wake.acquire(timeout=30)


@pytest.fixture
def clock() -> Iterator[Clock]:
    made = Clock()
    yield made
    made.now += 10_000
    made.wake.release(10)


def down() -> None:
    raise Transient("It is being moved.")


def asking(clock: Clock, **pings: Callable[[], object]) -> Asked:
    return Asked(pings, clock=clock.monotonic, sleep=clock.sleep)


def test_each_answers_for_itself(clock: Clock) -> None:
    whole = asking(clock, good=lambda: "3 alive", bad=down)
    assert whole.answers() == {}
    for _ in range(2):
        assert clock.asleep.acquire(timeout=30)
    answers = whole.answers()
    assert (answers["good"].up, answers["good"].detail) == (True, "3 alive")
    assert (answers["bad"].up, answers["bad"].detail) == (False, "It is being moved.")


def test_one_that_hangs_is_down_and_delays_no_other(clock: Clock) -> None:
    forever, begun = threading.Event(), threading.Event()

    def hangs() -> None:
        begun.set()
        forever.wait(60)

    whole = asking(clock, hung=hangs, good=lambda: None)
    whole.answers()
    try:
        assert begun.wait(30)
        assert clock.asleep.acquire(timeout=30)
        assert set(whole.answers()) == {"good"}
        clock.now += asked.HANGS + 2
        answers = whole.answers()
        assert (answers["hung"].up, answers["hung"].detail) == (False, "No answer for 12 s.")
        assert answers["good"].up
    finally:
        forever.set()


def test_what_is_old_is_not_told_and_asked_anew(clock: Clock) -> None:
    count = []
    whole = asking(clock, database=lambda: count.append(1))
    whole.answers()
    assert clock.asleep.acquire(timeout=30)
    clock.now += asked.LISTENED + 1  # nobody looks; the thread leaves
    clock.wake.release()
    wait_until(lambda: not whole._running, 30, "the thread has left")
    assert whole.answers() == {}
    assert clock.asleep.acquire(timeout=30)
    assert whole.answers()["database"].up
    assert len(count) == 2


def test_a_first_look_may_wait_for_the_answers() -> None:
    whole = Asked({"good": lambda: None, "bad": down})
    assert {name: answer.up for name, answer in whole.answers(wait=30).items()} == {"good": True, "bad": False}
