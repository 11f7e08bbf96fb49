"""Rows that are worked on under a lease: the guards that make a stale worker harmless (DESIGN §2.4, §2.7)."""

from __future__ import annotations

from dataclasses import dataclass

from schema.sql.database import Database, Row


@dataclass(frozen=True, slots=True)
class Leased:
    """How one table's rows are worked on."""

    table: str
    key: str

    def beat(self, db: Database, key: str, start_no: int, lease: float) -> bool:
        """Prolong the lease of one start; False when it belongs to another start by now."""
        return (
            db.execute(
                f"UPDATE {self.table} SET lease_until={db.later(lease)} WHERE {self.key}=%s AND start_no=%s "
                "AND status='processing'",
                (key, start_no),
            )
            > 0
        )

    def expired(self, db: Database, limit: int = 100) -> list[Row]:
        """Rows whose worker has not been heard of for a whole lease."""
        return db.fetch_all(
            f"SELECT *, CASE WHEN deadline_at <= {db.now()} THEN 1 ELSE 0 END AS overdue FROM {self.table} "
            f"WHERE status='processing' AND lease_until <= {db.now()} ORDER BY lease_until LIMIT %s",
            (limit,),
        )

    def processing(self, db: Database) -> int:
        """How many rows are worked on now."""
        return int(db.scalar(f"SELECT COUNT(*) FROM {self.table} WHERE status='processing'"))


JOBS = Leased("pdf_job_results", "job_id")
DELIVERIES = Leased("deliveries", "delivery_id")
