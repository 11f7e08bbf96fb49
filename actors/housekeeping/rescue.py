"""Rescue: every job and delivery whose worker was silent for a whole lease is decided about (DESIGN §2.6).

A job's attempt ends here when its worker died. A worker that lives ends it itself: success in `actors/render/rendering.py`,
failure in `middleware/hooks/retries.py`.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from middleware.meters.worker import WorkerMeters, age_of
from schema.callbacks.verdicts import judge
from schema.life import rounds
from schema.life.failures import RetryPolicy
from schema.ports import Answer
from schema.rows import deliveries, leases, letters, posts, rendered
from schema.rows.columns import JobRow
from schema.rows.leases import ExpiredDelivery, ExpiredJob, Leased, R
from schema.settings import Settings
from schema.sql.database import AT_ONCE, Database, DatabaseBusy, DatabaseDown

log = structlog.get_logger()

Rescued = Literal["rescued", "dead", "lost"]

_KILLS = "Three workers died before this callback left. Their logs say why; send it again by hand."
# The answer to a POST whose worker died.
_UNHEARD = Answer(status=None, failure="reset", content_type="", body_head="", retry_after=None, duration=0.0)


@dataclass
class Rescue:
    """Decides about rows whose lease has run out. Without it, a job dies with its worker."""

    settings: Settings
    db: Database
    policy: RetryPolicy
    meters: WorkerMeters
    wake: Callable[[], None]

    def step(self) -> int:
        """Decide about every such row; returns how many."""
        count = sum(self._decided(leases.JOBS, job, self._job) for job in leases.JOBS.expired(self.db))
        count += sum(self._decided(leases.UPLOADS, job, self._orphan) for job in rendered.orphans(self.db))
        silent = leases.DELIVERIES.expired(self.db)
        count += sum(self._decided(leases.DELIVERIES, row, self._delivery) for row in silent)
        if count:
            self.wake()
        return count

    def _decided(self, leased: Leased[Any], row: R, decide: Callable[[R], None]) -> bool:
        """Whether this row could be decided about. One row that fails must not delay the others."""
        began = time.monotonic()
        try:
            decide(row)
            return True
        except DatabaseBusy:  # somebody holds this row, as a host that has lost its power does for half a minute
            log.warning("rescue.busy", table=leased.table, key=row[leased.key])
        except DatabaseDown as error:
            if time.monotonic() - began > AT_ONCE:
                raise
            self.db.ping()  # it answers other questions, so it refuses only this row
            log.warning("rescue.refused", table=leased.table, key=row[leased.key], detail=error.detail)
        except Exception:
            log.exception("rescue.failed", table=leased.table, key=row[leased.key])
        return False

    def _job(self, job: ExpiredJob) -> None:
        became = rounds.rescue(self.db, job, self.policy)
        job_id, start = job["job_id"], job["start_no"]
        log.warning("job.rescued", job_id=job_id, attempt=start, worker=job["worker_id"], outcome=became)
        code = "timeout" if job["overdue"] else None if rounds.spared(job) else "worker_died"
        self.meters.rescued(job, became, code, age_of(job, self.db.clock()))

    def _orphan(self, job: JobRow) -> None:
        """A job is drawn again when it waits for the store and its PDF is gone."""
        became = rounds.give_back(self.db, job)
        log.warning("job.kept_pdf_missing", job_id=job["job_id"], attempt=job["start_no"], outcome=became)

    def _delivery(self, row: ExpiredDelivery) -> None:
        became, code = rescue_delivery(self.db, row, schedule_scale=self.settings.webhook_scale)
        log.warning("delivery.rescued", delivery_id=row["delivery_id"], attempt=row["start_no"], outcome=became)
        if code is not None:
            self.meters.given_up(code)


def rescue_delivery(db: Database, row: ExpiredDelivery, *, schedule_scale: float = 1.0) -> tuple[Rescued, str | None]:
    """Decide about one delivery; `dead` comes with its error code, `lost` means that the row has moved on.

    A POST under way may or may not have arrived. It counts as one try of the schedule, because a receiver whose answers
    kill workers must not be asked again at once. A start without a POST is a crash; the third ends the delivery.
    """

    def bury(code: str, hint: str) -> tuple[Rescued, str | None]:
        if not deliveries.end(db, row, "dead", code=code, hint=hint):
            return "lost", None
        letters.bury_delivery(db, row, code, hint)
        return "dead", code

    def wait(seconds: float, *, crashed: bool = False) -> tuple[Rescued, str | None]:
        return ("rescued" if deliveries.wait(db, row, seconds=seconds, crashed=crashed) else "lost"), None

    def work() -> tuple[Rescued, str | None]:
        overtaken = deliveries.overtaken(db, row)
        number = posts.give_up(db, row["delivery_id"])
        if number is None:
            if row["crashes"] + 1 >= rounds.MAX_CRASHES and not overtaken:
                return bury("worker_died", _KILLS)
            return wait(0, crashed=True)
        history = posts.earlier(db, row, number)
        verdict = judge(_UNHEARD, history, schedule_scale=schedule_scale, chance=random.random())
        if verdict.kind == "stop" and not overtaken:
            return bury(verdict.code or "webhook_exhausted", verdict.hint or "")
        return wait(verdict.after)

    return db.transaction(work)
