"""How fast a service may be written to: what its writers have learnt so far, one row for each service."""

from __future__ import annotations

from typing import Any

atomic = False  # MySQL commits DDL by itself; each step may run twice

NAMES = ("paces",)


def up(migrator: Any, db: Any) -> None:
    """Create the table of paces."""
    moment, tail = "TEXT", ""
    if type(db).__name__.startswith("MySQL"):
        maria = "maria" in str(db.execute_sql("SELECT VERSION()").fetchone()[0]).lower()
        moment = "DATETIME(6)"
        tail = f" ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE {'utf8mb4_nopad_bin' if maria else 'utf8mb4_0900_bin'}"
    db.execute_sql(
        "CREATE TABLE IF NOT EXISTS paces "
        f"(scope VARCHAR(64) PRIMARY KEY, pace TEXT NOT NULL, changed_at {moment} NOT NULL){tail}"
    )
