"""Writes the retry or the end when a job's attempt raises (DESIGN §2.2, §2.6, §2.14).

Claim and success stand in the actor's body. Without this middleware a failing job would stay `processing` until its
lease ran out, and be counted as a crash. Nothing here nacks: the message is acked once the outcome is in the database,
and when the outcome cannot be written within the lease, the lease is the net.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

import dramatiq
import structlog
from dramatiq.middleware import Shutdown, TimeLimitExceeded

from middleware.hooks.lifecycle import Attempt, Attempts
from schema.errors import Cancelled, DependencyDown, LeaseLost, Returned
from schema.life import rounds
from schema.life.rounds import TIMEOUT, Failure, RetryPolicy
from schema.rows import leases, pauses
from schema.sql.database import Database, DatabaseDown, Row, patiently

log = structlog.get_logger()

STREAK = 3  # consecutive outage-like errors that pause a dependency
OWNERS = 2  # … from so many jobs, or from one over the outage window
MOST_RETURNS = 20  # times an outage may give a job back: one that only its own upload ever meets is no outage
FREE_RETURNS = 3  # times a job out of tries may wait to see whether its last error was an outage


class JobRetries(dramatiq.Middleware):
    """What becomes of a job whose attempt raised."""

    def __init__(
        self,
        db: Database,
        attempts: Attempts,
        *,
        policy: RetryPolicy,
        lease: float,
        probe_every: float,
        outage_window: float,
        wake: Callable[[], None],
        ended: Callable[[Row, str, str | None], None],
    ) -> None:
        self._db = db
        self._attempts = attempts
        self._policy = policy
        self._lease = lease
        self._probe_every = probe_every
        self._window = outage_window
        self._wake = wake
        self._ended = ended

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        attempt = self._attempts.current()
        if exception is None or attempt is None or attempt.leased is not leases.JOBS:
            return
        if isinstance(exception, DatabaseDown):
            # However long it is away, this start is given back then. No time limit may end a process that only waits.
            self._attempts.end()
            log.warning("job.outcome_waits", job_id=attempt.key, attempt=attempt.start_no)
            patiently(self._db.ping)
        try:
            became = patiently(lambda: self._decide(attempt, exception), self._lease)
        except DatabaseDown:
            log.error("job.outcome_not_written", job_id=attempt.key, attempt=attempt.start_no)
            return
        code = getattr(exception, "code", None) or type(exception).__name__
        seconds = round(time.monotonic() - attempt.began, 3)
        log.info(
            "job.attempt_ended",
            job_id=attempt.key,
            attempt=attempt.start_no,
            outcome=became,
            code=code,
            seconds=seconds,
        )
        self._ended(attempt.row, became, code)
        self._wake()

    def _decide(self, attempt: Attempt, error: BaseException) -> str:
        job = attempt.row
        if isinstance(error, LeaseLost):
            return "lost"
        if isinstance(error, Cancelled):
            return "cancelled" if rounds.finish(self._db, job, "cancelled", outcome="returned") else "lost"
        if isinstance(error, Returned | Shutdown):
            return rounds.give_back(self._db, job)
        if isinstance(error, TimeLimitExceeded):
            return rounds.fail(self._db, job, TIMEOUT, self._policy)
        returns = int(job["returns"])
        if isinstance(error, DatabaseDown) and returns < MOST_RETURNS:
            # It answers again, and may have been away for this job alone: the more often, the later.
            return rounds.give_back(self._db, job, seconds=self._policy.delay(returns) if returns else 0.0)
        failure = Failure.of(error, "".join(traceback.format_exception(error)))
        if isinstance(error, DependencyDown):
            return self._outage(job, error, failure)
        return rounds.fail(self._db, job, failure, self._policy)

    def _outage(self, job: Row, error: DependencyDown, failure: Failure) -> str:
        members = pauses.note_failure(
            self._db,
            f"dependency:{error.dependency}",
            (job["job_id"], job["start_no"]),
            streak=STREAK,
            owners=OWNERS,
            window=self._window,
            probe_every=self._probe_every,
            reason=error.detail,
        )
        if members is not None and int(job["returns"]) < MOST_RETURNS:
            rounds.refund(self._db, [m for m in members if m != (job["job_id"], job["start_no"])])
            # Not at once: until everybody has read of the pause, it would come back here again and again.
            return rounds.give_back(self._db, job, seconds=self._probe_every)
        if int(job["tries"]) >= self._policy.attempts and int(job["returns"]) < FREE_RETURNS:
            # Its last try met what may be the first error of an outage: wait until that is known.
            return rounds.give_back(self._db, job, seconds=self._window)
        return rounds.fail(self._db, job, failure, self._policy)
