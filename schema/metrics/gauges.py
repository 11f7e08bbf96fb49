"""The state of the whole cluster as gauges: waiting jobs, owed callbacks (`reportq_deliveries`), dead letters.

Names stand in `table.py`, the SQL in `schema/rows/figures.py`.

Every query reads only rows that wait or are worked on, by an index; ended jobs cost nothing however many there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from schema.metrics import labels
from schema.metrics import table as metrics
from schema.metrics.table import Metric
from schema.rows import figures, outbox, pace, pauses, rendered, signs, waiting, workers
from schema.rows.columns import IS_OPEN, OPEN
from schema.rows.jobs import priority_word
from schema.rows.messages import QUEUES, RENDER, WEBHOOKS
from schema.settings import Settings
from schema.sql.database import Database, Row

# The audit is never cleaned: this is counted on idx_audit_act alone.
REPLAYS_QUERY = "SELECT act, COUNT(*) AS n FROM audit WHERE act IN ('replay','redeliver') GROUP BY act"


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one gauge."""

    metric: Metric
    labels: dict[str, str]
    value: float


def read(db: Database, settings: Settings) -> list[Reading]:
    """Every gauge that rows can tell, with a value for each word of its closed labels; raises DatabaseDown."""
    kept = rendered.waiting(db)
    parts = (
        _jobs(db),
        _deliveries(db),
        _relay(db, settings, kept),
        _store(db, kept),
        _desk(db),
        _workers(db, settings),
    )
    # The last reading of a series counts: the zeros come first.
    found = {(one.metric.name, tuple(one.labels.values())): one for part in parts for one in part}
    return list(found.values())


def _number(row: Row, name: str) -> float:
    return max(0.0, float(row[name] or 0))


def _jobs(db: Database) -> Iterator[Reading]:
    for word in labels.PRIORITIES:
        for status in OPEN:
            yield Reading(metrics.JOBS, {"status": status, "priority": word}, 0)
        yield Reading(metrics.OLDEST_WAITING, {"priority": word}, 0)
    for row in db.fetch_all(
        "SELECT status, priority, COUNT(*) AS n, "
        f"{db.age(f'MIN(CASE WHEN run_at <= {db.now()} THEN run_at END)')} AS age "
        f"FROM pdf_job_results WHERE {IS_OPEN} GROUP BY status, priority"
    ):
        word, status = priority_word(row["priority"]), row["status"]
        yield Reading(metrics.JOBS, {"status": status, "priority": word}, int(row["n"]))
        if status == "queued":
            yield Reading(metrics.OLDEST_WAITING, {"priority": word}, _number(row, "age"))


def _deliveries(db: Database) -> Iterator[Reading]:
    owed = figures.open_callbacks(db)
    for status in OPEN:
        yield Reading(metrics.DELIVERIES, {"status": status}, owed.get(status, (0, 0))[0])
    yield Reading(metrics.OLDEST_DELIVERY, {}, max([0.0, *(age for _, age in owed.values())]))


def _relay(db: Database, settings: Settings, kept: list[rendered.Waiting]) -> Iterator[Reading]:
    """How much is due, how much is published, and how long the relay has left a free row waiting."""
    paused = pauses.in_force(db)
    for scope in metrics.PAUSED.labels["scope"] or ():
        yield Reading(metrics.PAUSED, {"scope": scope}, int(scope in paused))
    yield Reading(metrics.PAUSED, {"scope": "hosts"}, len(pauses.hosts_of(paused)))
    for queue, box in outbox.HINTED.items():
        free, hosts = pauses.free(paused, queue)
        row = db.fetch_one(
            f"SELECT COUNT(*) AS n, {db.age('MIN(run_at)')} AS age, "
            f"{db.age(f'MIN(CASE WHEN {free} THEN run_at END)')} AS free FROM {box.table} "
            f"WHERE status='queued' AND published_at IS NULL AND run_at <= {db.now()}",
            hosts,
        )
        assert row is not None
        out = box.published(db)
        yield Reading(metrics.ROWS_DUE, {"queue": queue}, int(row["n"]))
        yield Reading(metrics.ROWS_DUE_AGE, {"queue": queue}, _number(row, "age"))
        yield Reading(metrics.HINTS_OUT, {"queue": queue}, out)
        # While messages are out, the window may be full; while the store is behind, only high jobs are admitted. Only due
        # rows beside an empty broker are the relay's fault.
        behind = queue == RENDER and rendered.used(kept, settings) >= rendered.HIGH_ONLY
        lag = 0.0 if pauses.hold(paused, queue) or out or behind else _number(row, "free")
        yield Reading(metrics.RELAY_LAG, {"queue": queue}, lag)
    until = db.fetch_one(f"SELECT {db.age('changed_at')} AS age FROM switches WHERE name='leader'")
    yield Reading(metrics.HOUSEKEEPING_OVERDUE, {}, _number(until, "age") if until else 0)
    yield Reading(metrics.CLOCK_BEHIND, {}, signs.clock_behind(db, settings))
    yield Reading(metrics.ACCEPTING, {}, int(waiting.count(db) < settings.max_backlog))


def _store(db: Database, kept: list[rendered.Waiting]) -> Iterator[Reading]:
    paced = pace.state(db, "drive")
    yield Reading(metrics.STORE_WAITING, {}, rendered.total(kept))
    yield Reading(metrics.STORE_PACE, {}, paced.rate or 0 if paced else 0)
    yield Reading(metrics.STORE_WRITES, {"outcome": "written"}, paced.written if paced else 0)
    yield Reading(metrics.STORE_WRITES, {"outcome": "refused"}, paced.refused if paced else 0)


def _desk(db: Database) -> Iterator[Reading]:
    # Known causes are shown as zero. Else a letter from before an outage of this reading would look like a new one.
    for queue, codes in ((RENDER, labels.JOB_CODES), (WEBHOOKS, labels.GIVEN_UP_CODES)):
        for code in codes:
            yield Reading(metrics.LETTERS_OPEN, {"queue": queue, "code": code}, 0)
    for row in db.fetch_all(
        "SELECT queue, error_code, COUNT(*) AS n FROM dead_letters WHERE status='open' GROUP BY queue, error_code"
    ):
        code = labels.code_label(row["error_code"])
        yield Reading(metrics.LETTERS_OPEN, {"queue": str(row["queue"]), "code": code}, int(row["n"]))
    acts = {"replay": "job", "redeliver": "callback"}
    counts = dict.fromkeys(labels.REPLAYS, 0)
    for row in db.fetch_all(REPLAYS_QUERY):
        counts[acts[row["act"]]] = int(row["n"])
    for what, n in counts.items():
        yield Reading(metrics.REPLAYED, {"what": what}, n)


def _workers(db: Database, settings: Settings) -> Iterator[Reading]:
    live = workers.live(db, settings.lease)
    for queue in QUEUES:
        own = [row for row in live if row["kind"] == queue]
        yield Reading(metrics.WORKERS_ALIVE, {"queue": queue}, len(own))
        yield Reading(metrics.WORKER_THREADS, {"queue": queue}, sum(row["threads"] for row in own))
        yield Reading(metrics.WORKERS_BUSY, {"queue": queue}, sum(row["busy"] for row in own))
        largest = max((row["rss_mb"] for row in own), default=0)
        yield Reading(metrics.WORKER_MEMORY, {"queue": queue}, largest * 1024 * 1024)
