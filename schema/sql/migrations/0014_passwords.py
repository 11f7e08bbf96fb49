"""A PDF's password, sealed, as long as its job may have to draw the PDF."""

from __future__ import annotations

from typing import Any

atomic = False  # MySQL commits DDL by itself; each step may run twice


def up(migrator: Any, db: Any) -> None:
    """Add the column, unless it is there."""
    if "sealed_password" not in {column.name for column in db.get_columns("pdf_job_results")}:
        db.execute_sql("ALTER TABLE pdf_job_results ADD COLUMN sealed_password VARCHAR(255) NULL")
