"""Finds how many writes a second a service allows, from which of them it refuses. No I/O: the caller brings the time.

A service like Drive gives each account a bucket of writes that refills at some rate; it tells neither. A refusal tells
that the bucket is empty. So what was written between two refusals, over the time between them, is the rate itself.

Until the first refusal the pace doubles with every burst, and waits for each burst's outcome before the next. After a
refusal it keeps to the measured rate, and leaves a small reserve in the bucket against the unevenness of the network.
Now and then a burst beyond the rate finds out whether more is allowed by now.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from schema.prepared import prepare

JUMP = 2
STEADY = 0.9
HOLDF = 1.2
RISE = 0.55
HOLD = 0.0
ONES = 2
FIRST = 1.0
SIZES = (1, 1, 2, 4, 6, 8, 10)
JUMPF = 1.0
RESERVE = 1.0  # writes left in the service's bucket after a refusal
SLOWEST, FASTEST = 0.1, 1000.0  # writes/s
GROWTH = 1.25  # of one burst over the one before, while a limit is known; they double when none is
OUTGROWN = 12.0  # writes beyond the rate that tell that the limit is gone
SLOT, SLOWEST_SLOT = 1.0, 4.0  # seconds a burst stands for; and most seconds that its outcome is waited for
FIRST_PROBE, OFTENEST, RAREST = 4.0, 6.0, 20.0  # seconds from a refusal to the next burst beyond the rate
BUCKET = 5.0  # writes that a service may have saved up when its limit rose: half of a common bucket
LONGEST_HOLD = 16.0  # seconds between two trials while everything is refused


class Pace(msgspec.Struct):
    """What is known of one service's limit. Moments are seconds of one clock."""

    rate: float  # writes/s
    credit: float = 0.0  # writes that may go at once
    at: float = 0.0  # when the credit was counted
    limited: bool = False  # whether a limit is known
    mode: Literal["new", "starting", "steady", "probing"] = "new"
    burst: float = 0.0  # writes of the present burst; of a probe: those beyond the rate
    bursts: int = 0  # how many went well, one after another
    burst_at: float = 0.0  # when it began
    burst_no: int = 0  # the last write granted before it
    spent_no: int = 0  # its last write, once it is used up
    done: int = 0  # how many of its writes had their outcome
    number: int = 0  # writes granted so far
    grown_at: float = 0.0  # when the first of these bursts began
    grown_no: int = 0
    cut_at: float = 0.0  # when a refusal last lowered the rate, or kept it
    empty_at: float = 0.0  # when the last refused write was granted: then the bucket was empty
    empty_no: int = 0  # its number
    lesson: float = 0.0  # writes/s that a further refusal of what was granted before takes off the rate
    floor: float = 0.0
    held_until: float = 0.0  # nothing goes before
    streak: int = 0  # refusals one after another
    saved: float = RESERVE  # writes that the bucket is thought to hold when the next probe is due
    probe_at: float = 0.0  # when it is due
    interval: float = FIRST_PROBE
    best: float = 0.0  # the highest rate that was measured; forgotten slowly
    written: int = 0
    refused: int = 0


def grant(pace: Pace, now: float, wanted: int) -> tuple[int, float]:
    """How many of `wanted` writes may go now; when none, the seconds until it is worth asking again."""
    if now < pace.held_until:
        return 0, pace.held_until - now
    if pace.mode in ("steady", "probing"):
        pace.credit = max(pace.credit, min(1.0, pace.credit + pace.rate * max(0.0, now - pace.at)))
        pace.at = max(pace.at, now)
    if pace.mode == "new":
        pace.mode = "starting"
        _burst(pace, now, pace.rate)
    elif pace.mode != "steady":
        _next_burst(pace, now)
    elif pace.credit < 1 and now >= pace.probe_at and pace.streak == 0:
        pace.mode, pace.bursts, pace.grown_at, pace.grown_no = "probing", 0, now, pace.number
        _burst(pace, now, FIRST if pace.limited else pace.rate)
        pace.at = now + pace.burst / pace.rate  # borrowed from what follows
    count = min(wanted, int(pace.credit + 1e-6))
    pace.credit -= count
    pace.number += count
    if pace.mode != "steady" and pace.credit < 1 and not pace.spent_no:
        pace.spent_no = pace.number
    if count:
        return count, 0.0
    if pace.mode == "starting":
        return 0, max(pace.burst_at + SLOT - now, 0.1)
    return 0, max((1 - pace.credit) / pace.rate, 0.01)


def _next_burst(pace: Pace, now: float) -> None:
    slow = now >= pace.burst_at + SLOWEST_SLOT
    if not pace.spent_no:
        if slow:  # so much is not wanted
            pace.rate = pace.burst if pace.mode == "starting" else pace.rate + pace.burst / 2
            pace.mode, pace.credit, pace.at, pace.probe_at = "steady", 1.0, now, now + pace.interval
    elif now >= pace.burst_at + SLOT and pace.done >= 0.9 * (pace.spent_no - pace.burst_no):
        pace.bursts += 1
        if pace.limited and pace.burst > max(OUTGROWN, 2 * pace.rate):
            pace.limited = False
        if not pace.limited:
            _burst(pace, now, pace.burst * 2)
        else:
            more = SIZES[pace.bursts] if pace.bursts < len(SIZES) else pace.burst * GROWTH
            if pace.bursts == ONES:
                more = max(more, JUMPF * pace.best - pace.rate)
            _burst(pace, now, more)
    elif slow:
        _burst(pace, now, pace.burst)


def _burst(pace: Pace, now: float, writes: float) -> None:
    pace.burst, pace.burst_at = min(writes, FASTEST), now
    pace.burst_no, pace.spent_no, pace.done = pace.number, 0, 0
    pace.credit += pace.burst


def judge(
    pace: Pace,
    now: float,
    granted_at: float,
    number: int,
    written: int,
    refused: int,
    retry_after: float | None,
    jitter: float,
) -> None:
    """Learn what became of writes that were granted together; `number` is that of the last, `jitter` is 0 to 1."""
    pace.written += written
    pace.refused += refused
    if pace.burst_no < number <= (pace.spent_no or number):
        pace.done += written + refused
    if written and granted_at > pace.cut_at:
        pace.streak = 0
    if retry_after:
        pace.held_until = max(pace.held_until, now + retry_after)
    if not refused:
        return
    if granted_at > pace.cut_at:
        _cut(pace, now, granted_at, number, jitter)
    else:
        pace.rate = max(SLOWEST, pace.rate - refused * pace.lesson, pace.floor)
    if number > pace.empty_no:
        pace.empty_at, pace.empty_no = granted_at, number


def _cut(pace: Pace, now: float, granted_at: float, number: int, jitter: float) -> None:
    seconds = granted_at - pace.empty_at
    measured = (number - pace.empty_no - 1) / seconds if seconds > 2 else 0.0
    before = pace.rate
    pace.lesson, pace.floor, hold = 0.0, 0.0, RESERVE / before
    old, pace.interval = pace.interval, FIRST_PROBE
    if pace.mode == "starting":
        pace.rate = pace.burst / 3
    elif pace.mode == "steady":
        pace.rate *= STEADY
        pace.lesson = before / max(pace.number - number, 1)
        pace.floor = 0.25 * before
        hold = min(HOLDF * (now - granted_at), 6 / before)
    elif pace.bursts > 3:
        pace.rate = max(measured, RISE * (pace.burst / GROWTH + before))
    else:
        pace.rate = max(measured, 0.75 * before)
        pace.lesson = 1 / max(seconds, 2)
        pace.interval = old * 2
        hold = HOLD
    if pace.mode == "probing":
        pace.best = max(pace.rate, pace.rate + 0.95 * (pace.best - pace.rate))
    pace.rate = max(pace.rate, SLOWEST)
    pace.interval = min(pace.interval, max(OFTENEST, RAREST * min(1.0, pace.rate / max(pace.best, SLOWEST))))
    pace.limited, pace.mode, pace.cut_at = True, "steady", now
    pace.streak += 1
    if pace.streak > 1:
        hold = max(hold, 0.5 * 2.0**pace.streak * (0.5 + jitter / 2))
    pace.held_until = max(pace.held_until, now + min(hold, LONGEST_HOLD))
    pace.credit = 1.0 if pace.streak > 1 else 0.0
    pace.at = max(pace.held_until, now)
    pace.probe_at = pace.held_until + pace.interval * (0.75 + jitter / 2)


prepare(__name__)
