"""Batches that end: a row for each, and in each of its jobs whose member it is.

The ids of a batch's jobs follow from its own (schema/rows/batches.py), so that a job's row needs no further index.
"""

from __future__ import annotations

from typing import Any

atomic = False  # MySQL commits DDL by itself; each step may run twice

NAMES = ("batches",)
COLUMNS = """
    batch_id VARCHAR(255) PRIMARY KEY,
    owner VARCHAR(64) NOT NULL DEFAULT '',
    created_at {moment} NOT NULL,
    callback TEXT NULL,
    failure_callback TEXT NULL,
    meta {long} NULL,
    total INT NOT NULL,
    round INT NOT NULL DEFAULT 1,
    open INT NOT NULL,
    completed INT NOT NULL DEFAULT 0,
    failed INT NOT NULL DEFAULT 0,
    cancelled INT NOT NULL DEFAULT 0,
    ended_at {moment} NULL"""


def up(migrator: Any, db: Any) -> None:
    """Create what is not there yet."""
    moment, long, tail = "TEXT", "TEXT", ""
    if type(db).__name__.startswith("MySQL"):
        mariadb = "maria" in str(db.execute_sql("SELECT VERSION()").fetchone()[0]).lower()
        moment, long = "DATETIME(6)", "LONGTEXT"
        tail = f" ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE {'utf8mb4_nopad_bin' if mariadb else 'utf8mb4_0900_bin'}"
    db.execute_sql(f"CREATE TABLE IF NOT EXISTS batches ({COLUMNS.format(moment=moment, long=long)}\n){tail}")
    if "idx_batches_ended" not in {index.name for index in db.get_indexes("batches")}:
        db.execute_sql("CREATE INDEX idx_batches_ended ON batches (ended_at, batch_id)")
    if "batch_id" not in {column.name for column in db.get_columns("pdf_job_results")}:
        db.execute_sql("ALTER TABLE pdf_job_results ADD COLUMN batch_id VARCHAR(255) NULL")
