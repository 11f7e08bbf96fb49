"""What becomes of a delivery after each answer to its POST: one table, top to bottom, first match wins
(DESIGN §6).

Everything here is data and pure functions: the caller says what was answered and what earlier tries of the
same delivery were answered, and learns whether the delivery is done, tried again after so many seconds, or
given up.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from schema.ports import Answer

#: Seconds to wait before the first, second, … try of the long schedule; jittered by up to a fifth either way.
SCHEDULE: tuple[float, ...] = (0, 5, 30, 300, 1800, 7200, 18000, 36000)
#: A delivery that is owed for so many seconds is given up, whatever pauses it met.
OWED_FOR = 24 * 3600.0
_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Ladder:
    """Waits between tries of one kind of answer: `waits[n-1]` after the n-th, then `every` (None: give up).

    All tries lie within `within` seconds of the kind's first answer.
    """

    name: str
    waits: tuple[float, ...]
    every: float | None = None
    within: float = float("inf")
    honours_retry_after: bool = False

    def after(self, answers: int, since_first: float, scale: float) -> float | None:
        """Seconds until the next try when this was the answer number `answers`; None when the ladder ends
        here.
        """
        wait = self.waits[answers - 1] if answers <= len(self.waits) else self.every
        if wait is None or since_first + wait * scale > self.within * scale:
            return None
        return wait * scale


#: n8n has not reached its Wait node yet.
RUNNING = Ladder("running", (1, 2, 5, 10, 20), every=20, within=1800)
#: Nothing listens there, though it may soon (a workflow about to be activated): 5 tries within 10 minutes.
MISSING = Ladder("missing", (10, 60, 150, 280), within=600)
#: The other side is away, restarting or overloaded.
LONG = Ladder("long", SCHEDULE[1:], honours_retry_after=True)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. Without a ladder the answer is final: delivered when there is no code, else a
    stop.
    """

    answer: str  # the stable name of this kind of answer, kept in the attempt row
    matches: Callable[[Answer], bool]
    ladder: Ladder | None = None
    code: str | None = None  # of the stop, at once or when the ladder has ended
    hint: str | None = None  # what a workflow's builder or an operator can do about it
    proves_earlier: bool = False  # after an unknown outcome it shows that the earlier try had arrived


def _status(*codes: int) -> Callable[[Answer], bool]:
    return lambda answer: answer.status in codes


def _between(low: int, high: int) -> Callable[[Answer], bool]:
    return lambda answer: answer.status is not None and low <= answer.status <= high


def _failed(*failures: str) -> Callable[[Answer], bool]:
    return lambda answer: answer.status is None and answer.failure in failures


def _says(status: int, pattern: str) -> Callable[[Answer], bool]:
    wanted = re.compile(pattern, re.I)
    return lambda answer: answer.status == status and wanted.search(answer.body_head) is not None


def _says_in_json(status: int, pattern: str) -> Callable[[Answer], bool]:
    says = _says(status, pattern)
    return lambda answer: _is_json(answer) and says(answer)


def _is_json(answer: Answer) -> bool:
    return "json" in answer.content_type.lower() or answer.body_head.lstrip().startswith(("{", "["))


_AWAY = "The workflow's host did not take the callback for hours. Check that n8n runs and is reachable, then resend."

TABLE: tuple[Rule, ...] = (
    Rule("accepted", _between(200, 299)),
    # n8n's Wait node, by what it says
    Rule(
        "running",
        _says(409, r"is running already"),
        RUNNING,
        "webhook_never_waited",
        "The execution was still busy after 30 minutes and never reached its Wait node. Put the Wait node "
        "right after the submission.",
    ),
    Rule(
        "finished",
        _says(409, r"has finished"),
        code="webhook_execution_finished",
        hint="The n8n execution had ended before the callback came: its Wait node's time limit was "
        "shorter than the job, or it was stopped. Raise the limit, or look the job up by its id.",
        proves_earlier=True,
    ),
    Rule(
        "bad_signature",
        _says(401, r"invalid token"),
        code="webhook_resume_url_changed",
        hint="n8n did not accept the signature in the resume URL: part of it was changed or lost. Pass "
        "{{ $execution.resumeUrl }} as callback unchanged, with nothing appended.",
    ),
    Rule(
        "unauthorized",
        _status(401),
        code="webhook_unauthorized",
        hint="The URL asks for credentials, which callbacks do not carry. Set the Webhook node's "
        "authentication to None and verify the webhook-signature header instead.",
    ),
    Rule(
        "gone",
        _status(410),
        code="webhook_gone",
        hint="The receiver says that this URL is gone for good. Submit with the workflow's current URL.",
    ),
    # 404 with JSON: nothing is registered there, by what n8n says about it
    Rule(
        "wrong_method",
        _says_in_json(404, r"did you mean to make a \w+ request|not registered for POST"),
        MISSING,
        "webhook_wrong_method",
        "The node listens for another method than POST (GET is n8n's default). Set HTTP Method to POST in "
        "the Wait or Webhook node.",
    ),
    Rule(
        "test_url",
        _says_in_json(404, r"test mode|Execute workflow|Listen for test event"),
        MISSING,
        "webhook_test_url",
        "A test URL (/webhook-test/…) lives for one call after a click on Execute workflow. Use the "
        "production URL of a published workflow.",
    ),
    Rule(
        "inactive",
        _says_in_json(404, r"workflow must be active|toggle in the top-right|must be published"),
        MISSING,
        "webhook_workflow_inactive",
        "No active workflow listens at this URL. Publish (activate) the workflow and check its path.",
    ),
    Rule(
        "missing",
        lambda answer: answer.status == 404 and _is_json(answer),
        MISSING,
        "webhook_not_listening",
        "Nothing waits for a POST at this URL: the Wait node listens for GET (set it to POST), the "
        "execution is unknown to n8n, or the workflow is not active.",
    ),
    # the other side is away
    Rule("starting", _status(404), LONG, "webhook_exhausted", _AWAY),
    Rule("busy", _status(408, 425, 429), LONG, "webhook_exhausted", _AWAY),
    Rule("server_error", _between(500, 599), LONG, "webhook_exhausted", _AWAY),
    Rule("unreachable", _failed("connect"), LONG, "webhook_exhausted", _AWAY),
    Rule("unknown", _failed("timeout", "reset", "too_large"), LONG, "webhook_exhausted", _AWAY),
    Rule(
        "tls",
        _failed("tls"),
        LONG,
        "webhook_exhausted",
        "The host's TLS certificate was not accepted. Renew it, or have it signed by an authority that is "
        "trusted here.",
    ),
    # no use in trying again
    Rule(
        "refused_address",
        _failed("refused_address"),
        code="webhook_address_refused",
        hint="The host's address is private, local or reserved. If it is meant, an operator lists the "
        "host or network with its port in REPORTQ_WEBHOOK_ALLOW.",
    ),
    Rule(
        "redirect",
        _between(300, 399),
        code="webhook_redirected",
        hint="Callbacks do not follow redirects. Give the final URL (often https:// instead of http://).",
    ),
    Rule(
        "forbidden",
        _status(403),
        code="webhook_forbidden",
        hint="The receiver forbids the call. In n8n's Webhook node switch off Ignore Bots and check IP Allowlist.",
    ),
    Rule(
        "conflict",
        _status(409),
        code="webhook_conflict",
        hint="The receiver answered that the callback comes at the wrong time.",
    ),
    Rule(
        "rejected",
        lambda answer: True,
        code="webhook_rejected",
        hint="The receiver does not take this callback as it is. The delivery's log shows what it answered.",
    ),
)


@dataclass(frozen=True, slots=True)
class History:
    """What earlier tries of this delivery were answered, this one not counted.

    `answers` counts them by ladder, `since_first` says how many seconds ago the first of each ladder came.
    """

    answers: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    since_first: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    had_unknown: bool = False

    @classmethod
    def of(cls, earlier: Iterable[tuple[str, float]]) -> History:
        """From attempt rows: the `answer` name kept in each and how many seconds ago it came.

        A row that was found still `sending` counts as "unknown".
        """
        answers: Counter[str] = Counter()
        since_first: dict[str, float] = {}
        had_unknown = False
        for answer, seconds_ago in earlier:
            had_unknown = had_unknown or answer == "unknown"
            rule = _BY_NAME.get(answer)
            if rule is not None and rule.ladder is not None:
                name = rule.ladder.name
                answers[name] += 1
                since_first[name] = max(seconds_ago, since_first.get(name, 0.0))
        return cls(answers, since_first, had_unknown)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`kind` is "delivered", "again" (after `after` seconds) or "stop" (with its `code`).

    `answer` goes into the attempt row; `hint` is for people, also while the delivery is still being tried.
    `unconfirmed` marks a delivery that only a later answer showed to have arrived.
    """

    kind: str
    answer: str
    after: float = 0.0
    code: str | None = None
    hint: str | None = None
    unconfirmed: bool = False


def judge(answer: Answer, history: History, *, schedule_scale: float = 1.0, chance: float = 0.5) -> Verdict:
    """The verdict on one answer. `chance` in [0, 1) is the caller's random number for the jitter (0.5: none);
    `schedule_scale` shrinks every wait and limit of the ladders, Retry-After excepted.
    """
    rule = next(rule for rule in TABLE if rule.matches(answer))
    if rule.ladder is None:
        if rule.code is None:
            return Verdict("delivered", rule.answer)
        if rule.proves_earlier and history.had_unknown:
            return Verdict("delivered", rule.answer, unconfirmed=True)
        return Verdict("stop", rule.answer, code=rule.code, hint=rule.hint)
    ladder = rule.ladder
    after = ladder.after(
        history.answers.get(ladder.name, 0) + 1, history.since_first.get(ladder.name, 0.0), schedule_scale
    )
    if after is None:
        return Verdict("stop", rule.answer, code=rule.code, hint=rule.hint)
    if ladder is LONG:
        after *= 1 + _JITTER * (2 * chance - 1)
    if ladder.honours_retry_after and answer.retry_after is not None:
        after = max(after, min(answer.retry_after, SCHEDULE[-1]))
    return Verdict("again", rule.answer, after=after, code=rule.code, hint=rule.hint)


_BY_NAME: Mapping[str, Rule] = MappingProxyType({rule.answer: rule for rule in TABLE})
