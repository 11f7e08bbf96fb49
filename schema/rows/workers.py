"""Who works: one row per worker process, kept fresh by its heartbeats."""

import resource
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict

from schema.rows.columns import Seconds, WorkerRow
from schema.sql.database import Database, put
from schema.sql.times import as_column


@dataclass(slots=True)
class Card:
    """What a worker process reports about itself."""

    worker_id: str
    kind: str  # the queue it serves
    host: str
    pid: int
    threads: int  # that live and are given messages
    version: str
    dead: int = 0  # threads that have died
    claimed: float | None = None  # seconds since the process last claimed a row; None: it has not yet


def seen(db: Database, card: Card, busy: int) -> None:
    """The worker is alive."""
    rss, clock = _rss_mb(), as_column(datetime.now(UTC))
    claimed = "claimed_at" if card.claimed is None else db.later(-card.claimed)
    put(
        db,
        f"UPDATE workers SET threads=%s, dead=%s, busy=%s, rss_mb=%s, seen_at={db.now()}, clock=%s, claimed_at={claimed} "
        "WHERE worker_id=%s",
        (card.threads, card.dead, busy, rss, clock, card.worker_id),
        "INSERT INTO workers (worker_id, kind, host, pid, threads, dead, busy, rss_mb, version, clock, started_at, seen_at) "
        f"VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,{db.now()},{db.now()})",
        (card.worker_id, card.kind, card.host, card.pid, card.threads, card.dead, busy, rss, card.version, clock),
    )


def leave(db: Database, worker_id: str) -> None:
    """The worker was stopped."""
    db.execute("DELETE FROM workers WHERE worker_id=%s", (worker_id,))


def live(db: Database, within: float, kind: str | None = None) -> list[WorkerRow]:
    """Workers heard of in the last `within` seconds that have a thread to work with."""
    only = "" if kind is None else " AND kind=%s"
    return db.fetch_all(
        f"SELECT * FROM workers WHERE seen_at >= {db.later(-within)} AND threads > 0{only} ORDER BY worker_id",
        () if kind is None else (kind,),
        of=WorkerRow,
    )


class HeardWorker(TypedDict):
    """A worker that was heard of, as `reportq status` shows it."""

    worker_id: str
    kind: str
    threads: int
    busy: int
    rss_mb: int
    version: str
    up: Seconds  # since it started


def heard_of(db: Database, within: float) -> list[HeardWorker]:
    """Workers heard of in the last `within` seconds, those without a living thread too, by queue."""
    return db.fetch_all(
        f"SELECT worker_id, kind, threads, busy, rss_mb, version, {db.age('started_at')} AS up FROM workers "
        f"WHERE seen_at >= {db.later(-within)} ORDER BY kind, worker_id",
        of=HeardWorker,
    )


def threads(db: Database, within: float, kind: str) -> int:
    """Live worker threads of one kind."""
    return db.count(
        f"SELECT COALESCE(SUM(threads), 0) FROM workers WHERE kind=%s AND seen_at >= {db.later(-within)}", (kind,)
    )


def forget(db: Database, older: float) -> int:
    """Remove rows of workers that died `older` seconds ago or longer."""
    return db.execute(f"DELETE FROM workers WHERE seen_at < {db.later(-older)}")


def _rss_mb() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak / (1024 if sys.platform != "darwin" else 1024 * 1024))
