"""Kept PDFs wait for the store in their own rows: rank, size, and from when on each may be stored (DESIGN §2.2)."""

from __future__ import annotations

from typing import Any

atomic = False  # MySQL commits DDL by itself; each step may run twice

TABLE = "rendered"
COLUMNS = {"turn": "INT NOT NULL DEFAULT 9", "bytes": "INT NOT NULL DEFAULT 0"}
INDEX, INDEXED = "idx_rendered_waiting", "turn, saved_at, job_id, store_at, bytes"


def up(migrator: Any, db: Any) -> None:
    """Add what is not there yet. What was kept before is of attempts that failed: it waits for none."""
    moment = "DATETIME(6) NULL" if type(db).__name__.startswith("MySQL") else "TEXT NULL"
    there = {column.name for column in db.get_columns(TABLE)}
    for name, kind in {**COLUMNS, "store_at": moment}.items():
        if name not in there:
            db.execute_sql(f"ALTER TABLE {TABLE} ADD COLUMN {name} {kind}")
    if INDEX not in {index.name for index in db.get_indexes(TABLE)}:
        db.execute_sql(f"CREATE INDEX {INDEX} ON {TABLE} ({INDEXED})")
