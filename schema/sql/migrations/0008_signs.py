"""What the verdict is judged by (schema/rows/signs.py): what a worker tells of itself, and the code behind a pause."""

from __future__ import annotations

from typing import Any

atomic = False  # MySQL commits DDL by itself; each step may run twice


def up(migrator: Any, db: Any) -> None:
    """Add the columns that are not there yet."""
    moment = "DATETIME(6)" if type(db).__name__.startswith("MySQL") else "TEXT"
    for table, column, kind in (
        ("workers", "dead", "INT NOT NULL DEFAULT 0"),
        ("workers", "claimed_at", f"{moment} NULL"),
        ("workers", "clock", f"{moment} NULL"),
        ("pauses", "code", "VARCHAR(64) NULL"),
    ):
        if column not in {one.name for one in db.get_columns(table)}:
            db.execute_sql(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
