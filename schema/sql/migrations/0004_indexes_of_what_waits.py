"""Indexes for what waits and for what is resolved: without them each look reads all of it, every few milliseconds.

Most replace an index that served less, so that a submission and a callback write as many as before. Two are new; they
are of the dead letters, which are written rarely.
"""

from __future__ import annotations

from typing import Any

atomic = False  # MySQL commits DDL by itself; each step may run twice

# Each holds the whole order that it serves, and what else is asked of the rows that are counted on it.
NEW = {
    "idx_jobs_due": (
        "pdf_job_results", "status, published_at, turn, requested_at, job_id, run_at, priority"
    ),
    "idx_deliveries_by_host": ("deliveries", "status, published_at, host, turn, run_at, delivery_id"),
    "idx_deliveries_age": ("deliveries", "status, published_at, owed_at, delivery_id, run_at"),
    "idx_dead_due": ("dead_letters", "status, published_at, kind, run_at, dead_letter_id"),
    "idx_dead_copies": ("dead_letters", "swept_at, status, published_at, relay_token, queue, dead_letter_id"),
    "idx_dead_resolved": ("dead_letters", "status, resolved_at, dead_letter_id"),
    "idx_dead_alike": ("dead_letters", "status, fingerprint, resolved_at, dead_letter_id"),
}  # fmt: skip
# What they replace. No more rows than workers have threads are `processing`: their leases need no index of their own.
OLD = {
    "idx_jobs_admission": "pdf_job_results",
    "idx_deliveries_host": "deliveries",
    "idx_deliveries_lease": "deliveries",
    "idx_dead_admission": "dead_letters",
    "idx_dead_swept": "dead_letters",
}


def up(migrator: Any, db: Any) -> None:
    """Create what is not there yet, then drop what it replaces: at no moment is a look without an index."""
    mysql = type(db).__name__.startswith("MySQL")
    for name, (table, columns) in NEW.items():
        if name not in {index.name for index in db.get_indexes(table)}:
            db.execute_sql(f"CREATE INDEX {name} ON {table} ({columns})")
    for name, table in OLD.items():
        if name in {index.name for index in db.get_indexes(table)}:
            db.execute_sql(f"DROP INDEX {name} ON {table}" if mysql else f"DROP INDEX {name}")
