"""What made a PDF: the version of the template that a job's report was drawn with."""

from __future__ import annotations

from typing import Any

atomic = False  # MySQL commits DDL by itself; each step may run twice


def up(migrator: Any, db: Any) -> None:
    """Add the column, unless it is there."""
    if "template_version" not in {column.name for column in db.get_columns("pdf_job_results")}:
        db.execute_sql("ALTER TABLE pdf_job_results ADD COLUMN template_version VARCHAR(64) NULL")
