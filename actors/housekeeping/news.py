"""News: operators' own webhook is told of trouble, of its end, and of each new kind of dead letter.

Troubles are the verdict's bad facts, pauses, and absent receivers, read from the rows. A row holds what operators know,
so a restart repeats nothing. Lasting changes go out in one message, at most one a minute. When it is not accepted,
later looks try again, more and more rarely. A message becomes no row and no dead letter, so it causes no news.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any

import msgspec
import structlog

from schema.callbacks.urls import redact
from schema.ports import Post, Sender
from schema.rows import letters, news, signs
from schema.rows.verdict import Fact, Verdict, judge
from schema.settings import Settings
from schema.sql.database import Database, DatabaseBusy, DatabaseDown
from schema.sql.times import moment

log = structlog.get_logger()

SETTLED = 30.0  # Seconds that a change lasts before it is news: a restart is none.
REST, LONGEST = 60.0, 3600.0  # Seconds between two messages; most seconds between two tries.
_EVERY, _SHARE = 5.0, 20  # Seconds between two looks, and so many times what a look took.
_MOST, _SHOWN, _LETTERS = 250, 20, 10_000  # Troubles that operators know, lines of a text, kinds of dead letters.
_LONG = 500  # Characters of one line.
_WARNINGS = ("paused", "receiver_down")
_LETTER = "new_dead_letter"
_STATES = {"bad": "does not work", "warn": "works, with trouble", "good": "works"}


@dataclass
class News:
    """Compares the state with what operators know. Without it, only Prometheus tells them at night."""

    settings: Settings
    db: Database
    sender: Callable[[], Sender]
    clock: Callable[[], float] = time.monotonic
    _since: dict[str, float] = field(default_factory=dict)  # a change → since when it is seen
    _away: frozenset[str] = frozenset()  # the trouble that could not be written down: the database is away
    _look_at: float = float("-inf")
    _send_at: float = float("-inf")
    _failures: int = 0

    def step(self, *, leads: bool) -> None:
        """Look, and tell what has changed. Without the lead only tell that the database is back, after news of its
        loss."""
        if not (leads or self._away):
            self._since.clear()
        elif self.clock() >= self._look_at:
            self._compare(*self._look())

    def _look(self) -> tuple[Verdict, dict[str, Fact | None], news.Told | None]:
        """How things stand, each trouble by its name, and what is known; None instead while the database is away."""
        began = self.clock()
        self._look_at = began + _EVERY
        try:
            verdict = judge(self.settings, signs.read(self.db, self.settings), 0.0, {})
            kinds = letters.kinds(self.db, _LETTERS)
            told = news.last(self.db)
        except DatabaseBusy:
            raise
        except DatabaseDown as error:
            verdict = judge(self.settings, None, None, {}, error.detail)
            return verdict, _troubles(verdict), None
        self._look_at += _SHARE * (self.clock() - began)
        return verdict, {**_troubles(verdict), **{f"{_LETTER} {cause}": None for cause in kinds}}, told

    def _compare(self, verdict: Verdict, found: Mapping[str, Fact | None], told: news.Told | None) -> None:
        known = self._away if told is None else told.names | self._away
        if resolved := {name for name in known - found.keys() if name.startswith(_LETTER)}:
            known -= resolved
            news.forget(self.db, known - self._away)
        now = self.clock()
        self._since = {name: self._since.get(name, now) for name in found.keys() ^ known}
        lasting = {name for name, since in self._since.items() if now - since >= SETTLED}
        rests = told is not None and told.age is not None and 0 <= told.age < REST
        if not lasting or rests or now < self._send_at:
            return
        ended = lasting - found.keys()
        worst_first = [name for name in found if name in lasting]
        bad = {name for name, fact in found.items() if fact and fact.severity == "bad"}  # few by their nature
        begun = [name for place, name in enumerate(worst_first) if name in bad or place < _MOST - len(known)]
        changes = [*self._begun(found, begun), *map(_over, sorted(ended))]
        if not changes or not self._send(verdict, changes, told):
            return
        known = (known - ended) | set(begun)
        if told is None:
            self._away = frozenset(known)
        else:
            news.note_told(self.db, known)
            self._away = frozenset()

    def _begun(self, found: Mapping[str, Fact | None], names: list[str]) -> list[dict[str, Any]]:
        facts = [found[name] or self._letter(name) for name in names]
        return [{"change": "began", **msgspec.to_builtins(fact)} for fact in facts if fact is not None]

    def _letter(self, name: str) -> Fact | None:
        """A new kind of dead letter. Its sentence may name a person's code, so operators look it up here."""
        cause = name.partition(" ")[2]
        count, first = letters.kind(self.db, cause)
        if first is None:
            return None
        means = f"A new kind of dead letter: {first['error_code']} in {first['queue']}; open: {count:,}."
        to_do = f"Look at it: ops/reportq dead-letters show {first['dead_letter_id']}"
        at = moment(datetime.now(UTC)) or msgspec.UNSET
        return Fact(_LETTER, "warn", cause, means, to_do, at, "ops/runbooks/ReportqDeadLettersGrowing.md")

    def _send(self, verdict: Verdict, changes: list[dict[str, Any]], told: news.Told | None) -> bool:
        """One signed POST. A repeated one has the same id."""
        url = self.settings.operations_webhook
        lines = [f"reportq {_STATES[verdict.state]} ({self.settings.links_base})", *map(_line, changes[:_SHOWN])]
        if len(changes) > _SHOWN:
            lines.append(f"… and {len(changes) - _SHOWN} more")
        body = {
            "type": "operations.changed", "timestamp": moment(datetime.now(UTC)), "state": verdict.state,
            "text": escape("\n".join(lines), quote=False),  # Slack reads <…> as a command
            "facts": changes,
        }  # fmt: skip
        which = [(one["change"], one["key"], one.get("subject")) for one in changes]
        known = sorted(told.names if told else [])
        key = hashlib.sha256(msgspec.json.encode([known, which])).hexdigest()[:26]
        answer = self.sender().send(Post(url, f"ops_{key}", msgspec.json.encode(body)))
        taken = answer.status is not None and 200 <= answer.status < 300
        self._failures = 0 if taken else self._failures + 1
        self._send_at = self.clock() + min(REST * 2 ** min(self._failures, 10), LONGEST)
        if not taken:
            log.warning("operators.not_told", url=redact(url), status=answer.status, failure=answer.failure)
        return taken


def _troubles(verdict: Verdict) -> dict[str, Fact | None]:
    worth = [fact for fact in verdict.facts if fact.severity == "bad" or fact.key in _WARNINGS]
    return {f"{fact.key} {fact.subject or ''}".strip(): fact for fact in worth}


def _over(name: str) -> dict[str, Any]:
    key, _, subject = name.partition(" ")
    return {"change": "ended", "key": key, **({"subject": subject} if subject else {})}


def _line(change: Mapping[str, Any]) -> str:
    if change["change"] == "ended":
        return f"✔ Over: {change['key'].replace('_', ' ')} {change.get('subject', '')}".rstrip()
    return f"{'✘' if change['severity'] == 'bad' else '!'} {change['means']} → {change['to_do']}"[:_LONG]
