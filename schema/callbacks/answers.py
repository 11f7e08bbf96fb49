"""The answers to a callback's POST, told apart: one table, top to bottom, first match wins (DESIGN §6).

Each row names one kind of answer, its ladder of waits, and what people are told about it. A 409 of n8n is one of three
kinds: the workflow still runs, it has finished, or it says something else.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from schema.ports import Answer

_TITLE = re.compile(r"<title\b[^<>]*>[^<]*</title>", re.I)
_TAG = re.compile(r"<[^<>]*>")
_SHORT = 300  # characters: a workflow's own text about n8n's start-up is longer
# "n8n is starting up. Please wait" (packages/cli/src/abstract-server.ts), alone, as a page's text or in an object.
_STARTING = re.compile(
    r"\W*(?:(?:n8n|code|status|message|error|\d+)\W+)*n8n is (?:\w+ )?(?:starting|booting|initiali[sz]ing|migrating)(?: up)?"
    r"(?=\s*(?:[^\w\s]|$|please\b))",
    re.I,
)
# A whole document of HTML, not only a piece of it.
_DOCUMENT = re.compile(r"\s*(?:<\?xml[^<>]*>\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I)
#: Seconds to wait before the first, second, … try of the long schedule. Jitter adds or takes up to a fifth.
#: From the eighth on it is every 6 h. That outlasts a weekend, and tells a receiver that is back within 6 h.
SCHEDULE: tuple[float, ...] = (0, 5, 30, 300, 1800, 7200, 10800, *[21600] * 11)


@dataclass(frozen=True, slots=True)
class Ladder:
    """Waits between tries of one kind of answer: `waits[n-1]` after the n-th, then `every` (None: give up).

    All tries lie within `within` seconds of the kind's first answer. An answer of the long ladder ends that time: an
    n8n that starts twice in an hour gave another answer in between.
    """

    name: str
    waits: tuple[float, ...]
    every: float | None = None
    within: float = float("inf")
    honours_retry_after: bool = False

    def after(self, answers: int, since_first: float, scale: float) -> float | None:
        """Seconds until the next try when this was the answer number `answers`; None when the ladder ends here."""
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
    """One row of the table. Without a ladder the answer is final: a stop with a code, delivered without one."""

    answer: str  # the stable name of this kind of answer, kept in the attempt row
    matches: Callable[[Answer], bool]
    ladder: Ladder | None = None
    code: str | None = None  # The code of the stop, at once or when the ladder has ended.
    hint: str | None = None  # What a workflow's builder or an operator can do after a stop.
    trying: str | None = None  # The hint while tries go on, when the stop's hint would claim too much.
    why: str | None = None  # Begins both hints, unless the answer itself says what happened.
    proves_earlier: bool = False  # After an unknown outcome, this answer proves that the earlier try arrived.


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


def _is_taken(answer: Answer) -> bool:
    return answer.status is not None and 200 <= answer.status < 300


def _is_json(answer: Answer) -> bool:
    return "json" in answer.content_type.lower() or answer.body_head.lstrip().startswith(("{", "["))


def _is_start_page(text: str) -> bool:
    """Whether n8n answers so while it migrates its database: no workflow has seen the request.

    The text decides, not its type: a plain "OK" may have the same type, since PHP answers text/html by default.
    """
    if "n8n" not in text.lower():
        return False
    shown = (" ".join(_TAG.sub(" ", one).split()) for one in (text, _TITLE.sub(" ", text)))
    return any(len(one) <= _SHORT and _STARTING.match(one) is not None for one in shown)


_AWAY = "The workflow's host did not take the callback for hours. Check that n8n runs and is reachable, then resend."
_COMES_AGAIN = "The callback is sent again by itself."
_CREDENTIALS = (
    "Have an operator list the receiver's header in REPORTQ_WEBHOOK_HEADERS, with the name and value of the node's "
    "credential. Or set the node's authentication to None and verify the webhook-signature header instead."
)


def _away(answer: str, matches: Callable[[Answer], bool], trying: str, *, hint: str = _AWAY, why: str = "") -> Rule:
    """The other side is away, restarting or overloaded: the long ladder."""
    return Rule(answer, matches, LONG, "webhook_exhausted", hint, trying, why or None)


def _final(
    answer: str, matches: Callable[[Answer], bool], code: str, hint: str, *, proves_earlier: bool = False
) -> Rule:
    """No use in trying again."""
    return Rule(answer, matches, None, code, hint, proves_earlier=proves_earlier)


TABLE: tuple[Rule, ...] = (
    _away("start_page", lambda answer: _is_taken(answer) and _is_start_page(answer.body_head),
        f"n8n answered with its start-up page: no workflow has seen the callback yet. {_COMES_AGAIN}"),
    Rule("page", lambda answer: _is_taken(answer) and _DOCUMENT.match(answer.body_head) is not None,
        hint="The receiver answered with a web page, as an editor or a proxy does. If nothing has arrived, check the URL: "
        "it was taken for delivered, and is not sent again by itself."),
    Rule("accepted", _is_taken),
    # n8n's Wait node, by what it says
    Rule("running", _says(409, r"is running already"), RUNNING, "webhook_never_waited",
        "The execution was still busy after 30 minutes and never reached its Wait node. Put the Wait node "
        "right after the submission.",
        f"The execution has not reached its Wait node yet. {_COMES_AGAIN}"),
    _final("finished", _says(409, r"has finished"), "webhook_execution_finished",
        "The n8n execution had ended before the callback came: its Wait node's time limit was "
        "shorter than the job, or it was stopped. Raise the limit, or look the job up by its id.",
        proves_earlier=True),
    _final("bad_signature", _says(401, r"invalid token"), "webhook_resume_url_changed",
        "n8n did not accept the signature in the resume URL: part of it was changed or lost. Pass "
        "{{ $execution.resumeUrl }} as callback unchanged, with nothing appended."),
    _final("unauthorized", _status(401), "webhook_unauthorized",
        f"The URL asks for credentials. {_CREDENTIALS}"),
    _final("header_auth", _says(403, r"authorization data is wrong"), "webhook_unauthorized",
        f"The Webhook node's authentication (Header Auth) did not take the call. {_CREDENTIALS}"),
    _final("gone", _status(410), "webhook_gone",
        "The receiver says that this URL is gone for good. Submit with the workflow's current URL."),
    # 404 with JSON: nothing is registered there, by what n8n says about it
    Rule("wrong_method", _says_in_json(404, r"did you mean to make a \w+ request|not registered for POST"), MISSING,
        "webhook_wrong_method",
        "The node listens for another method than POST (GET is n8n's default). Set HTTP Method to POST in "
        "the Wait or Webhook node."),
    Rule("test_url", _says_in_json(404, r"test mode|Execute workflow|Listen for test event"), MISSING, "webhook_test_url",
        "A test URL (/webhook-test/…) lives for one call after a click on Execute workflow. Use the "
        "production URL of a published workflow."),
    Rule("inactive", _says_in_json(404, r"workflow must be active|toggle in the top-right|must be published"), MISSING,
        "webhook_workflow_inactive",
        "No active workflow listens at this URL. Publish (activate) the workflow and check its path."),
    Rule("missing", lambda answer: answer.status == 404 and _is_json(answer), MISSING, "webhook_not_listening",
        "Nothing waits for a POST at this URL: the Wait node listens for GET (set it to POST), the "
        "execution is unknown to n8n, or the workflow is not active."),
    _away("starting", _status(404),
        f"The host answered 404 without JSON, as n8n does while it starts. Check the URL's path. {_COMES_AGAIN}"),
    _away("busy", _status(408, 425, 429), f"The receiver asked to be called later. {_COMES_AGAIN}"),
    _away("server_error", _between(500, 599),
        f"The receiver answered with an error of its own. Check that n8n runs without errors. {_COMES_AGAIN}"),
    _away("unreachable", _failed("connect"),
        f"Check that n8n runs and is reachable. {_COMES_AGAIN}",
        why="The host could not be reached."),
    _away("unknown", _failed("timeout", "reset", "too_large"),
        "So nobody knows whether the callback arrived. Check that the Webhook node responds immediately. It is sent "
        "again by itself, with the same webhook-id.",
        why="No complete answer came."),
    _away("tls", _failed("tls"),
        _COMES_AGAIN,
        hint="Put that right, then resend.",
        why="The host's TLS certificate was not accepted."),
    _final("refused_address", _failed("refused_address"), "webhook_address_refused",
        "The host's address is private, local or reserved. If it is meant, an operator lists the "
        "host or network with its port in REPORTQ_WEBHOOK_ALLOW."),
    _final("redirect", _between(300, 399), "webhook_redirected",
        "Callbacks do not follow redirects. Give the final URL (often https:// instead of http://)."),
    _final("forbidden", _status(403), "webhook_forbidden",
        "The receiver forbids the call. In n8n's Webhook node switch off Ignore Bots and check IP Allowlist."),
    _final("https_wanted",
        _says(400, r"plain HTTP request was sent to|HTTP request to an HTTPS|plain HTTP to an SSL|host and port requires TLS"),
        "webhook_rejected",
        "The port speaks TLS: the URL must begin with https://."),
    _final("certificate_wanted", _says(400, r"No required SSL certificate was sent"), "webhook_rejected",
        "The host wants a client certificate, and callbacks present none. Let it take callbacks without one, and "
        "verify the webhook-signature header instead."),
    _final("conflict", _status(409), "webhook_conflict",
        "The receiver answered that the callback comes at the wrong time. Read in the delivery's log what it said."),
    _final("rejected", lambda answer: True, "webhook_rejected",
        "The receiver does not take this callback as it is. The delivery's log shows what it answered."),
)  # fmt: skip
