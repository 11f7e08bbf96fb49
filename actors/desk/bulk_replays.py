"""Replay or discard of every dead letter that matches: dry, at a rate, safe to interrupt and to repeat (DESIGN §7).

Each letter is one transaction, so a run that was interrupted can simply be started again. A run takes only letters that
are older than itself. A job that fails again during the run leaves a new letter for the next run.

A few letters of each fingerprint go first, as a trial. When all of them fail again in the same way, the run leaves the
rest of that group alone. A group that is no larger than a trial goes whole, and the run waits `settle` seconds for its
ends. What has failed again when the run ends counts as open.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from schema.life.replays import discard_letter, replay_letter
from schema.rows import audit, letter_search, replay_outcomes
from schema.rows.letter_search import FoundLetter, LetterFilter, NewerJob
from schema.rows.letters import TOO_LARGE
from schema.rows.replay_outcomes import Sent, fails_again, sent_of
from schema.sql.database import Database
from schema.sql.times import as_time

TRIAL = 5  # Letters of a fingerprint that go first.
_WAKE_EVERY = 20  # Replays between two calls of the relay.
_LOOK_EVERY = 0.2  # Seconds between looks at the trial's jobs.
_NEWER_SHOWN = 100


@dataclass(slots=True)
class Summary:
    """The result of a run."""

    matched: int = 0
    dry_run: bool = False
    outcomes: Counter[str] = field(default_factory=Counter)  # Replayed, discarded, or why a letter was skipped.
    newer: list[dict[str, str]] = field(default_factory=list)  # Letters whose report a newer job has completed.
    stopped: list[dict[str, str | int]] = field(default_factory=list)  # Groups left alone, with the reason.
    died_again: int = 0  # Replayed by this run, and open again when it ended.
    unfinished: int = 0  # Replayed by this run, and still at work when it ended.
    remaining: int = 0  # Matching letters that are still open. A client repeats until there are none.
    interrupted: bool = False

    @property
    def still_open(self) -> int:
        """Letters that are still open, with those that replayed jobs left when they failed again."""
        return self.remaining + self.died_again

    @property
    def done(self) -> int:
        """How many letters were decided about."""
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a bulk replay or discard is done, and for whom."""

    by: str
    why: str | None = None
    dry_run: bool = False
    rate: float | None = None  # Letters a second. None: as fast as the database allows.
    trial: int = TRIAL  # Letters of a trial. 0: no trial.
    patience: float = 60.0  # Seconds to wait for the trial's ends.
    settle: float = 0.0  # Seconds to wait for the ends of groups too small for a trial.
    skip_newer: bool = False  # Skip letters whose report a newer job has completed.
    seconds: float | None = None  # Stop after this time and say what remains.
    stopping: Callable[[], bool] = lambda: False
    progress: Callable[[Summary, str], None] = lambda summary, phase: None
    wake: Callable[[], None] = lambda: None


def replay_matching(db: Database, wanted: LetterFilter, manner: Manner) -> Summary:
    """Replay every open letter that matches. Repeat the same call to go on after an interruption."""
    return _Run(db, wanted, manner).replay()


def discard_matching(db: Database, wanted: LetterFilter, manner: Manner) -> Summary:
    """Discard every open letter that matches."""
    return _Run(db, wanted, manner).discard()


class _Run:
    """One bulk replay or discard."""

    def __init__(self, db: Database, wanted: LetterFilter, manner: Manner) -> None:
        self._db = db
        self._wanted = replace(wanted, status="open", until=db.clock())
        self._manner = manner
        self._summary = Summary(matched=letter_search.count(db, self._wanted), dry_run=manner.dry_run)
        self._began = time.monotonic()
        self._acted = 0
        self._newer: dict[tuple[str | None, str | None], NewerJob | None] = {}
        self._sent: list[Sent] = []
        self._decided: set[str] = set()  # of the trial; the main pass skips those that are still open

    def replay(self) -> Summary:
        tried = {mark: self._first_of(mark) for mark in self._tried_first()}
        left_alone = self._watch(tried)
        small: list[Sent] = []
        if not self._summary.interrupted:
            for letter in letter_search.each(self._db, self._wanted):
                if self._cut():
                    break
                mark = letter["fingerprint"]
                if mark in left_alone or letter["dead_letter_id"] in self._decided:
                    continue
                if self._replay(letter) == "replayed" and mark not in tried:
                    small.append(sent_of(letter))
        self._manner.wake()
        self._settle(small)
        return self._close("bulk_replay")

    def discard(self) -> Summary:
        for letter in letter_search.each(self._db, self._wanted):
            if self._cut():
                break
            outcome = "discarded"
            if not self._manner.dry_run:
                outcome = discard_letter(self._db, letter["dead_letter_id"], by=self._manner.by, why=self._manner.why)
            self._note(outcome)
        return self._close("bulk_discard")

    def _replay(self, letter: FoundLetter) -> str:
        outcome = self._skipped(letter)
        if outcome is None:
            outcome = "replayed"
            if not self._manner.dry_run:
                if not self._keep_rate():
                    return "left"  # for the next run: nothing was decided about it
                outcome = replay_letter(self._db, letter["dead_letter_id"], by=self._manner.by, why=self._manner.why)
                if outcome == "replayed":
                    self._sent.append(sent_of(letter))
                if self._acted % _WAKE_EVERY == 0:
                    self._manner.wake()
        self._note(outcome)
        return outcome

    def _skipped(self, letter: FoundLetter) -> str | None:
        newer = self._newer_than(letter)
        if newer is not None:
            if len(self._summary.newer) < _NEWER_SHOWN:
                self._summary.newer.append({"dead_letter_id": letter["dead_letter_id"], "newer_job_id": newer})
            if self._manner.skip_newer:
                return "newer_completed"
        if letter["error_code"] == TOO_LARGE and self._manner.dry_run:
            return "not_whole"
        if letter["kind"] == "job" and self._manner.dry_run:
            if letter["job_status"] == "completed":
                return "completed"
            if letter["job_status"] not in ("failed", "cancelled"):
                return "not_ended" if letter["job_status"] else "unknown"
        return None

    def _newer_than(self, letter: FoundLetter) -> str | None:
        """The newest completed job of the same report, when it was submitted after this one."""
        key = (letter["code"], letter["product_id"])
        if key not in self._newer:
            self._newer[key] = letter_search.newer_completed(self._db, *key)
        newer, requested_at = self._newer[key], as_time(letter["requested_at"])
        if newer is None or requested_at is None or newer["job_id"] == letter["job_id"]:
            return None
        moment = as_time(newer["requested_at"])
        return str(newer["job_id"]) if moment is not None and moment > requested_at else None

    def _note(self, outcome: str) -> None:
        self._summary.outcomes[outcome] += 1
        self._manner.progress(self._summary, "")

    def _keep_rate(self) -> bool:
        """Wait until the next letter is due by the rate; False when the run was cut before that."""
        if self._manner.rate:
            due = self._began + self._acted / self._manner.rate
            while (left := due - time.monotonic()) > 0:
                if self._cut():
                    return False
                time.sleep(min(left, 0.2))
        self._acted += 1
        return True

    def _cut(self) -> bool:
        out_of_time = self._manner.seconds is not None and time.monotonic() - self._began > self._manner.seconds
        if self._manner.stopping() or out_of_time:
            self._summary.interrupted = True
        return self._summary.interrupted

    def _tried_first(self) -> list[str]:
        """Fingerprints with more letters than a trial takes."""
        if self._manner.dry_run or not self._manner.trial:
            return []
        found = letter_search.sizes(self._db, self._wanted)
        return [mark for mark, letters in found.items() if letters > self._manner.trial]

    def _first_of(self, mark: str) -> list[FoundLetter]:
        sent: list[FoundLetter] = []
        for letter in letter_search.each(self._db, replace(self._wanted, fingerprint=mark)):
            if self._cut() or len(sent) >= self._manner.trial:
                break
            self._decided.add(letter["dead_letter_id"])
            if self._replay(letter) == "replayed":
                sent.append(letter)
        return sent

    def _watch(self, tried: dict[str, list[FoundLetter]]) -> set[str]:
        """Wait until each trial has a verdict; returns the fingerprints whose rest is left alone."""
        self._manner.wake()
        open_trials = {mark: letters for mark, letters in tried.items() if letters and letters[0]["kind"] != "raw"}
        seen: dict[str, list[bool | None]] = defaultdict(list)
        until = time.monotonic() + self._manner.patience
        while open_trials:
            for mark, letters in list(open_trials.items()):
                seen[mark] = [fails_again(self._db, letter) for letter in letters]
                if None in seen[mark] and self._siblings_fare_well(mark):
                    # An earlier run was interrupted: its jobs wait in the queue before this trial's, and go well.
                    seen[mark].append(False)
                if False in seen[mark] or None not in seen[mark]:
                    del open_trials[mark]
            if not open_trials or time.monotonic() > until or self._cut():
                break
            self._manner.progress(self._summary, "waiting for the first ones to end")
            time.sleep(_LOOK_EVERY)
        left_alone = set()
        for mark, verdicts in seen.items():
            if False not in verdicts:
                left_alone.add(mark)
                code, reason = tried[mark][0]["error_code"], "failing_again" if True in verdicts else "undecided"
                self._summary.stopped.append(
                    {"fingerprint": mark, "error_code": code, "reason": reason, "tried": len(verdicts)}
                )
        return left_alone

    def _siblings_fare_well(self, mark: str) -> bool:
        return any(fails_again(self._db, one) is False for one in letter_search.lately_replayed(self._db, mark))

    def _settle(self, sent: list[Sent]) -> None:
        """Wait at most `settle` seconds until these have ended. They had no trial, so they may fail again."""
        if self._manner.dry_run or not self._manner.trial:
            return
        until = time.monotonic() + self._manner.settle
        while time.monotonic() < until and not self._cut() and replay_outcomes.unfinished(self._db, sent):
            self._manner.progress(self._summary, "waiting for them to end")
            time.sleep(_LOOK_EVERY)

    def _close(self, act: str) -> Summary:
        summary = self._summary
        if summary.dry_run:
            summary.remaining = summary.matched
            return summary
        summary.died_again = replay_outcomes.died_again(self._db, self._sent)
        raw = sum(kind == "raw" for kind, _ in self._sent)
        summary.unfinished = replay_outcomes.unfinished(self._db, self._sent) + raw
        summary.remaining = letter_search.count(self._db, self._wanted)
        result = ", ".join(f"{n} {outcome}" for outcome, n in sorted(summary.outcomes.items())) or "nothing"
        why = f"{self._manner.why or ''} [{result}; {summary.still_open} remain]".strip()
        audit.note(self._db, self._manner.by, act, self._wanted.shown(), why)
        return summary
