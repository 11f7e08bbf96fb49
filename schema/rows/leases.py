"""Rows that are worked on under a lease: heartbeat, expiry, and the guards against stale workers (DESIGN §2.4, §2.7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from schema.rows.columns import DeliveryRow, JobRow
from schema.rows.messages import RENDER, WEBHOOKS
from schema.sql.database import Database

R = TypeVar("R", bound=Mapping[str, object])


class ExpiredJob(JobRow):
    """A job whose worker was not heard of for a whole lease."""

    overdue: int  # flag: its deadline is past too, so that it took too long rather than died


class ExpiredDelivery(DeliveryRow):
    """The same of a delivery."""

    overdue: int


@dataclass(frozen=True, slots=True)
class Leased(Generic[R]):
    """How one table's rows are worked on."""

    row: type[R]  # of those that have expired
    table: str
    key: str

    def beat(self, db: Database, key: str, start_no: int, lease: float) -> bool:
        """Prolong the lease of one start; False when it belongs to another start by now, or has none.

        A beat may come when its attempt has just handed its PDF over. A lease then would hide the PDF from all uploaders.
        """
        return db.matched(
            f"UPDATE {self.table} SET lease_until={db.later(lease)} WHERE {self.key}=%s AND start_no=%s "
            "AND status='processing' AND lease_until IS NOT NULL",
            (key, start_no),
        )

    def expired(self, db: Database, limit: int = 100) -> list[R]:
        """Rows whose worker has not been heard of for a whole lease."""
        return db.fetch_all(
            f"SELECT *, CASE WHEN deadline_at <= {db.now()} THEN 1 ELSE 0 END AS overdue FROM {self.table} "
            f"WHERE status='processing' AND lease_until <= {db.now()} ORDER BY lease_until LIMIT %s",
            (limit,),
            of=self.row,
        )

    def processing(self, db: Database) -> int:
        """How many rows are worked on now."""
        return db.count(f"SELECT COUNT(*) FROM {self.table} WHERE status='processing'")


JOBS = Leased(ExpiredJob, "pdf_job_results", "job_id")
UPLOADS = Leased(ExpiredJob, "pdf_job_results", "job_id")  # the same rows in the hands of uploaders
DELIVERIES = Leased(ExpiredDelivery, "deliveries", "delivery_id")
OF_QUEUE: Mapping[str, Leased[Any]] = {RENDER: JOBS, WEBHOOKS: DELIVERIES}
