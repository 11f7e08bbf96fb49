"""Finds how many writes a second a service allows, from which of them it refuses. No I/O: the caller brings the time.

A service like Drive gives each account a bucket of writes that refills at some rate. It publishes neither. A refusal
shows that the bucket is empty. So the rate is the writes between two refusals, divided by the time between them.

Until the first refusal the pace doubles with every burst, and waits for each burst's outcome before the next. After a
refusal it keeps to the measured rate, and leaves a small reserve in the bucket against the unevenness of the network.
Now and then a burst beyond the rate finds out whether more is allowed by now.
"""

from typing import Literal

import msgspec

from schema.prepared import prepare

SLOWEST, FASTEST = 0.1, 1000.0  # Writes a second.
RESERVE = 1.0  # Writes left in the service's bucket after a refusal.
SLOT, LONGEST_SLOT = 1.0, 2.8  # Seconds that a burst covers, and most seconds to wait for its outcome.
# Writes of each burst beyond the rate. The first are few: while the limit is unchanged, one of them is refused. When
# all have gone well, the limit has changed.
PROBES = (1.0, 2.0, 3.0)
KEPT = 0.9  # Share of a good burst's rate that goes on during the wait for the next burst's outcome.
GROWTH = 0.5  # The bursts after the probes add at least this share of the rate.
SPREAD = 0.3  # A burst of several writes takes so many seconds, for services with a small bucket.
OUTGROWN = 12.0  # So many writes beyond the rate, and twice the rate, prove that there is no limit.
FIRST_PROBE, OFTENEST, RAREST = 6.0, 4.2, 16.0  # Seconds from a refusal to the next burst beyond the rate.
FORGETTING = 0.99  # Each refusal multiplies the highest rate by this.
LOOK = 0.5  # Most seconds until a writer asks again, so that a burst has writers.
LONGEST_HOLD = 16.0  # Seconds between two trials while everything is refused.


class Pace(msgspec.Struct):
    """What is known of one service's limit. Moments are seconds of one clock; `…_no` counts the granted writes."""

    rate: float  # Writes a second.
    mode: Literal["new", "starting", "steady", "probing"] = "new"
    limited: bool = False  # whether a limit is known
    number: int = 0  # writes granted so far
    written: int = 0
    refused: int = 0
    credit: float = 0.0  # Writes that may go at once.
    at: float = 0.0  # When the credit was counted.
    held_until: float = 0.0  # No write goes before this moment.
    # The present burst; of a probe, only the writes beyond the rate.
    burst: float = 0.0  # Its writes.
    burst_at: float = 0.0  # When it began.
    burst_no: int = 0  # The last write before it.
    spent_no: int = 0  # Its last write, once it is used up.
    due: float = 0.0  # The part of a spread burst that is not in the credit yet.
    done: int = 0  # How many of its writes have an outcome.
    bursts: int = 0  # How many bursts before it went well, one after another.
    passed: float = 0.0  # Writes a second of the last good burst.
    probe_at: float = 0.0  # When the next probe is due.
    interval: float = FIRST_PROBE
    best: float = 0.0  # the highest rate that was measured, forgotten slowly
    # the last refusal
    empty_at: float = 0.0  # when the last refused write was granted: then the bucket was empty
    empty_no: int = 0
    cut_at: float = 0.0  # when a refusal was last judged; refusals of older writes only correct that judgement
    cut_no: int = 0
    unexpected: bool = False  # Whether the refusal came without a probe.
    lesson: float = 0.0  # Writes a second by which each such correction lowers the rate.
    floor: float = 0.0  # No correction goes below this rate.
    streak: int = 0  # Refusals judged since the last successful write.


def grant(pace: Pace, now: float, wanted: int) -> tuple[int, float]:
    """How many of `wanted` writes may go now; when none, the seconds until it is worth asking again."""
    if now < pace.held_until:
        return 0, pace.held_until - now
    if pace.mode in ("steady", "probing"):
        owed = pace.rate * max(0.0, now - pace.at)
        if pace.mode == "probing" and pace.due:
            part = pace.burst * min(1.0, (now - pace.burst_at) / SPREAD) - (pace.burst - pace.due)
            pace.credit, pace.due = pace.credit + part, pace.due - part
        pace.credit = max(pace.credit, min(1.0, pace.credit + owed))
        pace.at = max(pace.at, now)
    if pace.mode == "new":
        pace.mode = "starting"
        _begin_burst(pace, now, pace.rate)
    elif pace.mode != "steady":
        _next_burst(pace, now)
    elif pace.credit < 1 and now >= pace.probe_at and pace.streak == 0:
        pace.mode, pace.bursts = "probing", 0
        _begin_burst(pace, now, PROBES[0] if pace.limited else pace.rate)
        pace.at = now + pace.burst / pace.rate  # borrowed from what would go next
    count = min(wanted, int(pace.credit + 1e-6))
    pace.credit -= count
    pace.number += count
    if pace.mode != "steady" and pace.credit < 1 and pace.due < 0.01 and not pace.spent_no:
        pace.spent_no = pace.number
    if count:
        return count, 0.0
    if pace.mode == "starting":  # the outcome of this burst comes first
        return 0, max(pace.burst_at + SLOT - now, 0.1)
    return 0, min(max((1 - pace.credit) / pace.rate, 0.01), 0.1 if pace.mode == "probing" else LOOK)


def _next_burst(pace: Pace, now: float) -> None:
    """Begin a larger burst once the present one went well; end them when so much is not wanted."""
    slow = now >= pace.burst_at + LONGEST_SLOT
    if not pace.spent_no:
        if slow:
            pace.rate = pace.burst if pace.mode == "starting" else pace.rate + pace.burst / 2
            pace.mode, pace.credit, pace.at, pace.probe_at = "steady", 1.0, now, now + pace.interval
    elif now >= pace.burst_at + SLOT and pace.done >= 0.75 * (pace.spent_no - pace.burst_no):
        pace.bursts += 1
        pace.passed = (pace.number - pace.burst_no) / (now - pace.burst_at)
        if pace.burst > max(OUTGROWN, 2 * pace.rate):
            pace.limited = False
        if not pace.limited:
            _begin_burst(pace, now, pace.burst * 2)
        elif pace.bursts < len(PROBES):
            # At the third burst it is likely that an old limit is back.
            _begin_burst(pace, now, max(PROBES[pace.bursts], pace.best - pace.rate if pace.bursts == 2 else 0))
        else:
            pace.rate = max(pace.rate, KEPT * pace.passed)
            _begin_burst(pace, now, max(PROBES[-1], GROWTH * pace.rate))
    elif slow:
        _begin_burst(pace, now, pace.burst)


def _begin_burst(pace: Pace, now: float, writes: float) -> None:
    pace.burst, pace.burst_at = min(writes, FASTEST), now
    pace.burst_no, pace.spent_no, pace.done = pace.number, 0, 0
    if pace.mode == "starting" or pace.burst <= 1:
        pace.credit, pace.due = pace.credit + max(1.0, pace.burst), 0.0
    else:
        pace.due = pace.burst


def judge(
    pace: Pace, now: float, *, granted_at: float, number: int, written: int, refused: int,
    retry_after: float | None, jitter: float,
) -> None:  # fmt: skip
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
    elif (number > pace.cut_no) == pace.unexpected:
        pace.rate = max(SLOWEST, pace.rate - refused * pace.lesson, pace.floor)
    if number > pace.empty_no:
        pace.empty_at, pace.empty_no = granted_at, number


def _cut(pace: Pace, now: float, granted_at: float, number: int, jitter: float) -> None:
    """Judge a refusal of what was granted since the last one was judged: the rate, and when the next may go."""
    seconds, before = granted_at - pace.empty_at, pace.rate
    measured = (number - pace.empty_no - 1) / seconds if seconds > 2 else 0.0
    interval, pace.interval = pace.interval, FIRST_PROBE
    pace.lesson = pace.floor = 0.0
    if pace.mode == "starting":
        pace.rate = pace.burst / 3
        hold = RESERVE / pace.rate
    elif pace.mode == "steady":
        # The limit has fallen, or the network was uneven. What becomes of the writes under way tells which; meanwhile the
        # bucket saves what is not written.
        pace.rate = min(max(measured, 0.4 * before), 0.95 * before) if measured else 0.85 * before
        pace.lesson, pace.floor = before / max(pace.number - number, 1), 0.25 * before
        hold = min(1.2 * (now - granted_at), 3 / before)
    elif pace.bursts >= len(PROBES):
        pace.rate = max(measured, before, KEPT * pace.passed)
        hold = RESERVE / pace.rate
    else:
        pace.rate = max(measured, before * (1 if pace.bursts > 1 else 0.75))
        pace.lesson = 1 / max(seconds, 2)
        pace.interval, hold = interval * 2, 0.25
    pace.rate = max(pace.rate, SLOWEST)
    if pace.mode == "probing":
        pace.best = max(pace.rate, pace.rate + FORGETTING * (pace.best - pace.rate))
    # Where more was possible before, it is sooner possible again.
    pace.interval = min(pace.interval, max(OFTENEST, RAREST * min(1.0, pace.rate / max(pace.best, SLOWEST))))
    pace.cut_at, pace.cut_no, pace.unexpected = now, number, pace.mode == "steady"
    pace.limited, pace.mode = True, "steady"
    pace.streak += 1
    if pace.streak > 1:  # as Google asks: exponential, with jitter
        hold = max(hold, 0.5 * 2.0 ** min(pace.streak, 9) * (0.5 + jitter / 2))
    pace.held_until = max(pace.held_until, now + min(hold, LONGEST_HOLD))
    pace.credit, pace.at = float(pace.streak > 1), pace.held_until
    pace.probe_at = pace.held_until + pace.interval * (0.75 + jitter / 2)


prepare(__name__)
