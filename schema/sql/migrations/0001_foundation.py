"""The tables of the first release.

`pdf_job_results` begins with exactly the plan's columns and indexes; the columns after them are ours. Tables whose rows
are published as messages share the columns from `run_at` to `hint_no` (schema/rows/outbox.py). Tables whose rows are
worked on under a lease share those from `start_no` to `deadline_at` (schema/rows/leases.py).
Keys are compared byte by byte, trailing spaces included: `J1` is neither `j1` nor `J1 `.
"""

from __future__ import annotations

from typing import Any

atomic = False  # MySQL commits DDL by itself; every step below may run twice

MOMENT = {"mysql": "DATETIME(6)", "sqlite": "TEXT"}
STAMP = {"mysql": "TIMESTAMP", "sqlite": "TEXT"}
LONG = {"mysql": "LONGTEXT", "sqlite": "TEXT"}
BLOB = {"mysql": "LONGBLOB", "sqlite": "BLOB"}
STAMP_NOW = {"mysql": "CURRENT_TIMESTAMP", "sqlite": "(strftime('%Y-%m-%d %H:%M:%f','now'))"}
IDENTITY = {"mysql": "BIGINT PRIMARY KEY AUTO_INCREMENT", "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT"}

OUTBOX = """
    run_at {moment} NOT NULL,
    published_at {moment} NULL,
    relay_token VARCHAR(26) NULL,
    relay_until {moment} NULL,
    hint_no INT NOT NULL DEFAULT 0,"""
LEASE = """
    start_no INT NOT NULL DEFAULT 0,
    crashes INT NOT NULL DEFAULT 0,
    tries INT NOT NULL DEFAULT 0,
    worker_id VARCHAR(64) NULL,
    lease_until {moment} NULL,
    attempt_started_at {moment} NULL,
    deadline_at {moment} NULL,"""


def _enum(dialect: str, column: str, words: tuple[str, ...], rest: str) -> str:
    quoted = ", ".join(f"'{word}'" for word in words)
    if dialect == "mysql":
        return f"{column} ENUM({quoted}) {rest}"
    return f"{column} VARCHAR(16) {rest} CHECK ({column} IN ({quoted}))"


def _tables(d: str) -> dict[str, str]:
    job_status = _enum(
        d, "status", ("queued", "processing", "completed", "failed", "cancelled"), "DEFAULT 'queued'"
    )  # fmt: skip
    delivery_states = ("queued", "processing", "delivered", "recorded", "dead", "superseded", "not_sent")
    return {
        "pdf_job_results": f"""
    job_id VARCHAR(255) PRIMARY KEY,
    code VARCHAR(255) NOT NULL,
    product_id VARCHAR(255) NOT NULL,
    google_drive_link TEXT,
    {job_status},
    error_message TEXT,
    created_at {{stamp}} DEFAULT {{stamp_now}},
    completed_at {{stamp}} NULL,
    retry_count INT DEFAULT 0,
    -- ours
    priority INT NOT NULL DEFAULT 5,
    turn INT NOT NULL DEFAULT 4,
    requested_at {{moment}} NOT NULL,
    round INT NOT NULL DEFAULT 1,{OUTBOX}{LEASE}
    returns INT NOT NULL DEFAULT 0,
    started_at {{moment}} NULL,
    ended_at {{moment}} NULL,
    stage VARCHAR(16) NULL,
    progress INT NOT NULL DEFAULT 0,
    cancel_requested_at {{moment}} NULL,
    upload_started_at {{moment}} NULL,
    artifact_id VARCHAR(255) NULL,
    error_code VARCHAR(64) NULL,
    callback TEXT NULL,
    failure_callback TEXT NULL,
    meta {{long}} NULL,
    inline_data INT NOT NULL DEFAULT 0,
    owner VARCHAR(64) NOT NULL DEFAULT '',
    idempotency_key VARCHAR(64) NULL,
    fingerprint VARCHAR(64) NULL,
    request_id VARCHAR(64) NULL,
    traceparent VARCHAR(64) NULL""",
        "report_data": "    job_id VARCHAR(255) PRIMARY KEY,\n    body {long} NOT NULL",
        "attempts": """
    job_id VARCHAR(255) NOT NULL,
    number INT NOT NULL,
    round INT NOT NULL,
    started_at {moment} NOT NULL,
    ended_at {moment} NOT NULL,
    outcome VARCHAR(16) NOT NULL,
    error_code VARCHAR(64) NULL,
    error_message TEXT NULL,
    worker_id VARCHAR(64) NULL,
    PRIMARY KEY (job_id, number)""",
        "rendered": """
    job_id VARCHAR(255) PRIMARY KEY,
    round INT NOT NULL,
    pdf {blob} NOT NULL,
    saved_at {moment} NOT NULL""",
        "deliveries": f"""
    delivery_id VARCHAR(40) PRIMARY KEY,
    job_id VARCHAR(255) NOT NULL,
    round INT NOT NULL,
    {_enum(d, "status", delivery_states, "NOT NULL DEFAULT 'queued'")},
    event VARCHAR(16) NOT NULL,
    url TEXT NULL,
    host VARCHAR(255) NOT NULL DEFAULT '',
    record {{long}} NOT NULL,
    owed_at {{moment}} NOT NULL,
    budget_at {{moment}} NULL,
    turn INT NOT NULL DEFAULT 4,{OUTBOX}{LEASE}
    recorded_at {{moment}} NULL,
    post_kind VARCHAR(16) NOT NULL DEFAULT 'scheduled',
    ended_at {{moment}} NULL,
    last_status INT NULL,
    error_code VARCHAR(64) NULL,
    hint TEXT NULL,
    UNIQUE (job_id, round)""",
        "delivery_attempts": """
    id {identity},
    delivery_id VARCHAR(40) NOT NULL,
    number INT NOT NULL,
    started_at {moment} NOT NULL,
    ended_at {moment} NULL,
    outcome VARCHAR(16) NOT NULL,
    kind VARCHAR(16) NOT NULL DEFAULT 'scheduled',
    status INT NULL,
    failure VARCHAR(32) NULL,
    duration_ms INT NULL,
    body_head TEXT NULL,
    verdict VARCHAR(64) NULL,
    UNIQUE (delivery_id, number)""",
        "dead_letters": f"""
    dead_letter_id VARCHAR(40) PRIMARY KEY,
    {_enum(d, "status", ("open", "replayed", "discarded"), "NOT NULL DEFAULT 'open'")},
    queue VARCHAR(64) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    job_id VARCHAR(255) NULL,
    delivery_id VARCHAR(40) NULL,
    round INT NOT NULL DEFAULT 1,
    code VARCHAR(255) NULL,
    product_id VARCHAR(255) NULL,
    error_code VARCHAR(64) NOT NULL,
    error_message TEXT NOT NULL,
    fingerprint VARCHAR(64) NOT NULL,
    traceback TEXT NULL,
    attempts INT NOT NULL,
    first_failed_at {{moment}} NOT NULL,
    last_failed_at {{moment}} NOT NULL,
    version VARCHAR(32) NOT NULL,
    raw {{long}} NULL,
    resolved_at {{moment}} NULL,
    resolved_by VARCHAR(128) NULL,{OUTBOX}
    swept_at {{moment}} NULL""",
        "pauses": """
    scope VARCHAR(255) PRIMARY KEY,
    until {moment} NULL,
    reason TEXT NOT NULL,
    set_by VARCHAR(128) NOT NULL,
    since {moment} NOT NULL""",
        "dependencies": """
    scope VARCHAR(255) PRIMARY KEY,
    failures INT NOT NULL DEFAULT 0,
    first_failed_at {moment} NULL,
    last_failed_at {moment} NULL,
    members TEXT NOT NULL""",
        "switches": "    name VARCHAR(64) PRIMARY KEY,\n    value TEXT NOT NULL,\n    changed_at {moment} NOT NULL",
        "workers": """
    worker_id VARCHAR(64) PRIMARY KEY,
    kind VARCHAR(16) NOT NULL,
    host VARCHAR(255) NOT NULL,
    pid INT NOT NULL,
    threads INT NOT NULL,
    busy INT NOT NULL DEFAULT 0,
    rss_mb INT NOT NULL DEFAULT 0,
    version VARCHAR(32) NOT NULL,
    started_at {moment} NOT NULL,
    seen_at {moment} NOT NULL""",
        "durations": """
    product_id VARCHAR(255) PRIMARY KEY,
    seconds DOUBLE PRECISION NOT NULL,
    samples INT NOT NULL,
    changed_at {moment} NOT NULL""",
        "api_keys": """
    key_id VARCHAR(40) PRIMARY KEY,
    name VARCHAR(64) NOT NULL,
    role VARCHAR(16) NOT NULL,
    hash VARCHAR(64) NOT NULL UNIQUE,
    rate INT NULL,
    created_at {moment} NOT NULL,
    revoked_at {moment} NULL""",
        "audit": """
    id {identity},
    at {moment} NOT NULL,
    who VARCHAR(128) NOT NULL,
    act VARCHAR(64) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    why TEXT NULL""",
        "report_documents": """
    code VARCHAR(255) NOT NULL,
    product_id VARCHAR(255) NOT NULL,
    body {long} NOT NULL,
    pdf_generation {long} NULL,
    requested_at VARCHAR(27) NULL,
    round INT NULL,
    PRIMARY KEY (code, product_id)""",
        "report_results": """
    job_id VARCHAR(255) PRIMARY KEY,
    code VARCHAR(255) NOT NULL,
    product_id VARCHAR(255) NOT NULL,
    body {long} NOT NULL,
    requested_at VARCHAR(27) NOT NULL,
    round INT NOT NULL""",
    }


NAMES = frozenset(_tables("mysql"))

# name → (table, columns). The first three are the plan's. An index that serves an order holds the whole order.
INDEXES = {
    "idx_code_product": ("pdf_job_results", "code, product_id"),
    "idx_status": ("pdf_job_results", "status"),
    "idx_created_at": ("pdf_job_results", "created_at"),
    "idx_jobs_admission": ("pdf_job_results", "status, published_at, turn, requested_at, job_id"),
    "idx_jobs_position": ("pdf_job_results", "status, turn, requested_at, job_id"),
    "idx_jobs_lease": ("pdf_job_results", "status, lease_until"),
    "idx_jobs_ended": ("pdf_job_results", "ended_at, job_id, status"),
    "idx_deliveries_admission": ("deliveries", "status, published_at, turn, run_at, delivery_id"),
    "idx_deliveries_host": ("deliveries", "status, host, run_at"),
    "idx_deliveries_lease": ("deliveries", "status, lease_until"),
    "idx_dead_admission": ("dead_letters", "status, published_at, run_at"),
    "idx_dead_job": ("dead_letters", "job_id, status"),
    "idx_dead_delivery": ("dead_letters", "delivery_id"),
    "idx_dead_groups": (
        "dead_letters",
        "status, fingerprint, last_failed_at, dead_letter_id, queue, kind, error_code",
    ),
    "idx_dead_first": ("dead_letters", "fingerprint, last_failed_at, version"),
    "idx_dead_swept": ("dead_letters", "swept_at, status"),
    "idx_results_report": ("report_results", "code, product_id"),
    "idx_audit_subject": ("audit", "subject, at"),
}
UNIQUE = {"uq_jobs_idempotency": ("pdf_job_results", "idempotency_key")}


def up(migrator: Any, db: Any) -> None:
    """Create what is not there yet."""
    d = "mysql" if type(db).__name__.startswith("MySQL") else "sqlite"
    words = {
        "moment": MOMENT[d], "stamp": STAMP[d], "long": LONG[d], "blob": BLOB[d],
        "stamp_now": STAMP_NOW[d], "identity": IDENTITY[d],
    }  # fmt: skip
    tail = ""
    if d == "mysql":
        mariadb = "maria" in str(db.execute_sql("SELECT VERSION()").fetchone()[0]).lower()
        tail = f" ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE {'utf8mb4_nopad_bin' if mariadb else 'utf8mb4_0900_bin'}"
    for name, body in _tables(d).items():
        db.execute_sql(f"CREATE TABLE IF NOT EXISTS {name} (\n{body.format(**words)}\n){tail}")
    for kind, indexes in (("INDEX", INDEXES), ("UNIQUE INDEX", UNIQUE)):
        for name, (table, columns) in indexes.items():
            if name not in {index.name for index in db.get_indexes(table)}:
                db.execute_sql(f"CREATE {kind} {name} ON {table} ({columns})")
