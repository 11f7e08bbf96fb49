"""Rescue: every job and delivery whose worker was silent for a whole lease is decided about (DESIGN §2.6).

A job's attempt ends here when its worker died. A worker that lives ends it itself: success in `actors/render/rendering.py`,
failure in `middleware/hooks/retries.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from actors.housekeeping import delivery_rescue
from middleware.meters.worker import WorkerMeters, age_of
from schema.life import rounds
from schema.life.failures import RetryPolicy
from schema.rows import leases, rendered
from schema.rows.columns import JobRow
from schema.rows.leases import ExpiredDelivery, ExpiredJob, Leased, R
from schema.settings import Settings
from schema.sql.database import AT_ONCE, Database, DatabaseBusy, DatabaseDown

log = structlog.get_logger()


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
        count += sum(
            self._decided(leases.DELIVERIES, row, self._delivery) for row in leases.DELIVERIES.expired(self.db)
        )
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
        log.warning(
            "job.rescued", job_id=job["job_id"], attempt=job["start_no"], worker=job["worker_id"], outcome=became
        )
        code = "timeout" if job["overdue"] else None if rounds.spared(job) else "worker_died"
        self.meters.rescued(job, became, code, age_of(job, self.db.clock()))

    def _orphan(self, job: JobRow) -> None:
        """A job that waits for the store without its PDF is drawn again."""
        became = rounds.give_back(self.db, job)
        log.warning("job.kept_pdf_missing", job_id=job["job_id"], attempt=job["start_no"], outcome=became)

    def _delivery(self, row: ExpiredDelivery) -> None:
        became, code = delivery_rescue.rescue(self.db, row, schedule_scale=self.settings.webhook_scale)
        log.warning("delivery.rescued", delivery_id=row["delivery_id"], attempt=row["start_no"], outcome=became)
        if code is not None:
            self.meters.given_up(code)
