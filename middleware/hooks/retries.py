"""Writes the retry or the end when a job's attempt raises (DESIGN §2.2, §2.6, §2.14).

Without this middleware, a failing job stays `processing` until its lease runs out, and counts as a crash. An attempt ends
here when it raised, since only Dramatiq's hook sees every exception, time limits included. Success ends it in
`actors/render/storing.py`; a worker's death in `actors/housekeeping/rescue.py`.

The message is always acked, once the outcome is in the database. When the outcome cannot be written within the lease,
the lease runs out and rescue decides.
"""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dramatiq
import structlog
from dramatiq.middleware import Shutdown, TimeLimitExceeded

from middleware.hooks.lifecycle import Attempt, Attempts
from schema.errors import Cancelled, DependencyDown, LeaseLost, RateLimited, Returned
from schema.life import rounds
from schema.life.failures import TIMEOUT, Failure, RetryPolicy
from schema.life.rounds import MOST_RETURNS, Became
from schema.rows import pauses
from schema.rows.jobs import ClaimedJob
from schema.settings import Settings
from schema.sql.database import Database, DatabaseDown, patiently

log = structlog.get_logger()

FREE_RETURNS = 3  # Times a job out of tries may wait to see whether its last error was an outage.


@dataclass(eq=False)
class JobRetries(dramatiq.Middleware):
    """What becomes of a job whose attempt raised."""

    settings: Settings
    db: Database
    attempts: Attempts
    policy: RetryPolicy
    ended: Callable[[ClaimedJob, Became, str | None], None]
    wake: Callable[[], None]

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        attempt = self.attempts.current()
        if exception is not None and attempt is not None:
            self.settle(attempt, exception)

    def settle(self, attempt: Attempt, exception: BaseException) -> None:
        """Write what becomes of this thread's attempt at a job, which raised; uploaders call it too."""
        if "delivery_id" in attempt.row:
            return
        job = attempt.row
        told = log.bind(job_id=attempt.key, attempt=attempt.start_no)
        if isinstance(exception, DatabaseDown):
            # This start is given back when the database returns. No time limit may end a process that only waits.
            self.attempts.end()
            told.warning("job.outcome_waits")
            patiently(self.db.ping)
        try:
            became = patiently(lambda: self._decide(job, exception), self.settings.lease)
        except DatabaseDown:
            told.error("job.outcome_not_written")
            return
        code = getattr(exception, "code", None) or type(exception).__name__
        seconds = round(time.monotonic() - attempt.began, 3)
        told.info("job.attempt_ended", outcome=became, code=code, seconds=seconds)
        self.ended(job, became, code)
        self.wake()

    def _decide(self, job: ClaimedJob, error: BaseException) -> Became:
        if isinstance(error, LeaseLost):
            return "lost"
        if isinstance(error, Cancelled):
            return "cancelled" if rounds.finish(self.db, job, "cancelled", outcome="returned") else "lost"
        if isinstance(error, Returned | Shutdown):
            return rounds.give_back(self.db, job)
        if isinstance(error, TimeLimitExceeded):
            return rounds.fail(self.db, job, TIMEOUT, self.policy)
        returns = job["returns"]
        if isinstance(error, DatabaseDown) and returns < MOST_RETURNS:
            # The database answers again. Perhaps it failed for this job alone, so each return waits longer.
            return rounds.give_back(self.db, job, seconds=self.policy.delay(returns) if returns else 0.0)
        if isinstance(error, RateLimited) and returns < MOST_RETURNS:
            return rounds.give_back(self.db, job, seconds=error.retry_after or self.settings.probe_every)
        failure = Failure.of(error, "".join(traceback.format_exception(error)))
        if isinstance(error, DependencyDown):
            return self._outage(job, error, failure)
        return rounds.fail(self.db, job, failure, self.policy)

    def _outage(self, job: ClaimedJob, error: DependencyDown, failure: Failure) -> Became:
        member = (job["job_id"], job["start_no"])
        members = pauses.note_outage(self.db, self.settings, error, member)
        if members is not None and job["returns"] < MOST_RETURNS:
            rounds.refund(self.db, [other for other in members if other != member])
            # Not at once: until every worker has read of the pause, the job would only fail again.
            return rounds.give_back(self.db, job, seconds=self.settings.probe_every)
        if job["tries"] >= self.policy.attempts and job["returns"] < FREE_RETURNS:
            # This last try may have met the first error of an outage. Wait until that is known.
            return rounds.give_back(self.db, job, seconds=self.settings.outage_window)
        return rounds.fail(self.db, job, failure, self.policy)
