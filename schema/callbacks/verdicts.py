"""What becomes of a delivery after each answer to its POST (DESIGN §6), by the table of schema/callbacks/answers.py.

Everything here is data and pure functions. The caller gives the answer and the answers to earlier tries of the same
delivery. The verdict says that the delivery is done, when it is tried again, or that it is given up.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Self

from schema.callbacks.answers import LONG, MISSING, RUNNING, SCHEDULE, TABLE, Rule
from schema.ports import Answer

_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class History:
    """The answers to earlier tries of this delivery.

    `answers` counts them by ladder, `since_first` says how many seconds ago the first of each ladder came. Ladders
    with a limit of time begin anew after an answer of the long one. The long one never begins anew, so that all ends.
    """

    answers: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    since_first: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    had_unknown: bool = False

    @classmethod
    def of(cls, earlier: Iterable[tuple[str, float]]) -> Self:
        """From attempt rows: the `answer` name kept in each and how many seconds ago it came.

        A row that was found still `sending` counts as "unknown".
        """
        answers: Counter[str] = Counter()
        since_first: dict[str, float] = {}
        had_unknown = False
        for answer, seconds_ago in sorted(earlier, key=lambda one: one[1], reverse=True):
            had_unknown = had_unknown or answer == "unknown"
            rule = _BY_NAME.get(answer)
            if rule is None or rule.ladder is None:
                continue
            if rule.ladder is LONG:
                for name in (RUNNING.name, MISSING.name):
                    answers.pop(name, None)
                    since_first.pop(name, None)
            answers[rule.ladder.name] += 1
            since_first.setdefault(rule.ladder.name, seconds_ago)
        return cls(answers, since_first, had_unknown)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`kind` is "delivered", "again" (after `after` seconds) or "stop" (with its `code`).

    `answer` goes into the attempt row. `hint` is for people, also while tries go on. With `unconfirmed`, only a later
    answer showed that the callback had arrived.
    """

    kind: str
    answer: str
    after: float = 0.0
    code: str | None = None
    hint: str | None = None
    unconfirmed: bool = False


def judge(answer: Answer, history: History, *, schedule_scale: float = 1.0, chance: float = 0.5) -> Verdict:
    """The verdict on one answer.

    The jitter is made of `chance`, the caller's random number in [0, 1); 0.5 means none. Every wait and limit of the
    ladders is multiplied by `schedule_scale`, a Retry-After is not.
    """
    rule = next(rule for rule in TABLE if rule.matches(answer))
    if rule.ladder is None:
        if rule.code is None:
            return Verdict("delivered", rule.answer, hint=rule.hint)
        if rule.proves_earlier and history.had_unknown:
            return Verdict("delivered", rule.answer, unconfirmed=True)
        return Verdict("stop", rule.answer, code=rule.code, hint=rule.hint)
    ladder = rule.ladder
    why = f"{answer.detail or rule.why} " if rule.why else ""
    after = ladder.after(
        history.answers.get(ladder.name, 0) + 1, history.since_first.get(ladder.name, 0.0), schedule_scale
    )
    if after is None:
        return Verdict("stop", rule.answer, code=rule.code, hint=f"{why}{rule.hint}")
    if ladder is LONG:
        after *= 1 + _JITTER * (2 * chance - 1)
    if ladder.honours_retry_after and answer.retry_after is not None:
        after = max(after, min(answer.retry_after, SCHEDULE[-1]))
    return Verdict("again", rule.answer, after=after, code=rule.code, hint=f"{why}{rule.trying or rule.hint}")


def seconds_of(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date (RFC 9110 §10.2.3)."""
    if value is None:
        return None
    value = value.strip()[:64]
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
        if when.tzinfo is None:  # "-0000" is UTC without a known zone (RFC 5322 §3.3)
            when = when.replace(tzinfo=UTC)
        return max(0.0, (when - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):  # not a date, or one outside the calendar
        return None


_BY_NAME: Mapping[str, Rule] = MappingProxyType({rule.answer: rule for rule in TABLE})
