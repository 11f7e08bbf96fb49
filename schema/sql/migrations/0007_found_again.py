"""What outlives a job's row: idempotency keys that were used, links for readers, and records that a code finds in order.

A job may also have a file name of its own.
"""

from __future__ import annotations

from typing import Any

atomic = False  # MySQL commits DDL by itself; each step may run twice

TABLES = {
    "used_keys": """
    idempotency_key VARCHAR(64) PRIMARY KEY,
    fingerprint VARCHAR(64) NULL,
    job_id VARCHAR(255) NOT NULL,
    status VARCHAR(16) NOT NULL,
    removed_at {moment} NOT NULL""",
    "links": """
    link_id VARCHAR(64) PRIMARY KEY,
    job_id VARCHAR(255) NOT NULL,
    hash VARCHAR(64) NOT NULL,
    uses_left INT NULL,
    expires_at {moment} NOT NULL""",
}
NAMES = tuple(TABLES)
INDEXES = {
    "idx_used_keys_removed": ("used_keys", "removed_at, idempotency_key"),
    "idx_used_keys_job": ("used_keys", "job_id"),
    "idx_links_job": ("links", "job_id"),
    "idx_links_expiry": ("links", "expires_at, link_id"),
    "idx_results_code": ("report_results", "code, job_id"),
}
UNIQUE = {"uq_links_hash": ("links", "hash")}
OLD = {"idx_results_report": "report_results"}  # idx_results_code holds the order of a list, too


def up(migrator: Any, db: Any) -> None:
    """Create what is not there yet, then drop what it replaces."""
    mysql = type(db).__name__.startswith("MySQL")
    tail = ""
    if mysql:
        mariadb = "maria" in str(db.execute_sql("SELECT VERSION()").fetchone()[0]).lower()
        tail = f" ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE {'utf8mb4_nopad_bin' if mariadb else 'utf8mb4_0900_bin'}"
    for name, body in TABLES.items():
        moment = "DATETIME(6)" if mysql else "TEXT"
        db.execute_sql(f"CREATE TABLE IF NOT EXISTS {name} ({body.format(moment=moment)}\n){tail}")
    for kind, indexes in (("INDEX", INDEXES), ("UNIQUE INDEX", UNIQUE)):
        for name, (table, columns) in indexes.items():
            if name not in {index.name for index in db.get_indexes(table)}:
                db.execute_sql(f"CREATE {kind} {name} ON {table} ({columns})")
    for name, table in OLD.items():
        if name in {index.name for index in db.get_indexes(table)}:
            db.execute_sql(f"DROP INDEX {name} ON {table}" if mysql else f"DROP INDEX {name}")
    if "file_name" not in {column.name for column in db.get_columns("pdf_job_results")}:
        db.execute_sql("ALTER TABLE pdf_job_results ADD COLUMN file_name VARCHAR(255) NULL")
