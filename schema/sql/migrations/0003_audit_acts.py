"""An index for counting what operators did: the audit is kept for good, and each reading of the metrics counts in it."""

from __future__ import annotations

from typing import Any

atomic = False  # MySQL commits DDL by itself; the step may run twice

NAME, TABLE, COLUMNS = "idx_audit_act", "audit", "act"


def up(migrator: Any, db: Any) -> None:
    """Create it when it is not there yet."""
    if NAME not in {index.name for index in db.get_indexes(TABLE)}:
        db.execute_sql(f"CREATE INDEX {NAME} ON {TABLE} ({COLUMNS})")
