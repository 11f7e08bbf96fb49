"""The queues as an operator sees them, and pausing, draining and resuming them (DESIGN §2.14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from schema.environment.fitting import fit
from schema.errors import Refused
from schema.rows import audit, leases, letters, outbox, pauses, workers
from schema.rows.columns import PauseRow, WorkerRow
from schema.rows.leases import Leased
from schema.rows.messages import QUEUES, RENDER, WEBHOOKS
from schema.rows.outbox import Outbox
from schema.settings import Settings
from schema.sql.database import Database

_TABLES: Mapping[str, tuple[Outbox[Any], Leased[Any], str]] = {
    RENDER: (outbox.JOBS, leases.JOBS, "requested_at"),
    WEBHOOKS: (outbox.DELIVERIES, leases.DELIVERIES, "owed_at"),
}


class QueueFigures(TypedDict):
    """One queue; moments inside its pauses are as the columns give them."""

    name: str
    state: Literal["running", "pausing", "paused"]
    depth: int  # rows that wait
    due: int  # … whose time has come
    published: int  # … whose message is in the broker
    processing: int
    oldest_age: float  # seconds that the oldest waits
    consumers: int  # threads of live workers
    workers: int
    dead_letters: int  # open ones
    paused: PauseRow | None  # an operator's
    outages: list[PauseRow]  # of its dependencies or hosts


def states(db: Database, settings: Settings) -> list[QueueFigures]:
    """Every queue: how much waits and for how long, who works on it, and what keeps it from starting more."""
    held = pauses.in_force(db)
    dead = letters.open_by_queue(db)
    live = workers.live(db, settings.lease)
    return [_state(db, name, held, dead.get(name, 0), live) for name in QUEUES]


def _state(db: Database, name: str, held: Mapping[str, PauseRow], dead: int, live: list[WorkerRow]) -> QueueFigures:
    box, leased, since = _TABLES[name]
    [waiting] = db.fetch_all(
        f"SELECT COUNT(*) AS depth, COALESCE(MAX({db.age(since)}), 0) AS oldest, "
        f"COALESCE(SUM(CASE WHEN run_at <= {db.now()} THEN 1 ELSE 0 END), 0) AS due "
        f"FROM {box.table} WHERE status='queued'"
    )
    processing = leased.processing(db)
    own = held.get(pauses.QUEUE + name)
    prefix = pauses.DEPENDENCY if name == RENDER else pauses.HOST
    serving = [worker for worker in live if worker["kind"] == name]
    return {
        "name": name,
        "state": ("pausing" if processing else "paused") if own else "running",
        "depth": int(waiting["depth"]),
        "due": int(waiting["due"]),
        "published": box.published(db),
        "processing": processing,
        "oldest_age": round(max(0.0, float(waiting["oldest"])), 3),
        "consumers": sum(worker["threads"] for worker in serving),
        "workers": len(serving),
        "dead_letters": dead,
        "paused": own,
        "outages": [row for scope, row in held.items() if scope.startswith(prefix)],
    }


def pause(db: Database, name: str, *, by: str, why: str | None = None) -> None:
    """Start nothing more from this queue; effective within the settings' `switch_poll`, and across restarts.

    What runs is finished. Accepting jobs goes on. Raises Refused("queue_not_found").
    """
    _check(name)

    def work() -> None:
        reason = fit(why or "Paused by an operator.", audit.MOST_WHY)
        pauses.pause(db, pauses.QUEUE + name, reason=reason, by=fit(by, 128))
        audit.note(db, by, "pause", pauses.QUEUE + name, why)

    db.transaction(work)


def resume(db: Database, name: str, *, by: str, why: str | None = None) -> bool:
    """Let the queue go on; False when it was not paused. Outages are lifted by their probes, not here."""
    _check(name)

    def work() -> bool:
        was = pauses.resume(db, pauses.QUEUE + name)
        audit.note(db, by, "resume", pauses.QUEUE + name, why)
        return was

    return db.transaction(work)


def processing(db: Database, name: str) -> int:
    """How many of this queue are being worked on: a drain has ended when a paused queue has none."""
    _check(name)
    return _TABLES[name][1].processing(db)


def _check(name: str) -> None:
    if name not in QUEUES:
        raise Refused(f"There is no queue {name[:40]!r}; the queues are {', '.join(QUEUES)}.", code="queue_not_found")
