"""An index for lists of one product: without it a rare product's page reads the whole table."""

from __future__ import annotations

from typing import Any

atomic = False  # MySQL commits DDL by itself; the step may run twice

NAME, TABLE, COLUMNS = "idx_jobs_product", "pdf_job_results", "product_id, job_id"


def up(migrator: Any, db: Any) -> None:
    """Create it when it is not there yet."""
    if NAME not in {index.name for index in db.get_indexes(TABLE)}:
        db.execute_sql(f"CREATE INDEX {NAME} ON {TABLE} ({COLUMNS})")
