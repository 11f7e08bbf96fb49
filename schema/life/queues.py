"""How much waits in a queue, and pausing, draining and resuming it (DESIGN §2.14)."""

from schema.environment.fitting import fit
from schema.errors import Refused
from schema.rows import audit, leases, pauses
from schema.rows.messages import QUEUES, RENDER, WEBHOOKS
from schema.sql.database import Database

_SINCE = {RENDER: "requested_at", WEBHOOKS: "owed_at"}  # the column that says since when a row waits


def waiting(db: Database, name: str) -> tuple[int, int, float]:
    """How many rows wait in a queue, for how many the time has come, and for how many seconds the oldest has waited."""
    [row] = db.fetch_all(
        f"SELECT COUNT(*) AS depth, COALESCE(MAX({db.age(_SINCE[name])}), 0) AS oldest, "
        f"COALESCE(SUM(CASE WHEN run_at <= {db.now()} THEN 1 ELSE 0 END), 0) AS due "
        f"FROM {leases.OF_QUEUE[name].table} WHERE status='queued'"
    )
    return int(row["depth"]), int(row["due"]), max(0.0, float(row["oldest"]))


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
    return leases.OF_QUEUE[name].processing(db)


def _check(name: str) -> None:
    if name not in QUEUES:
        raise Refused(f"There is no queue {name[:40]!r}; the queues are {', '.join(QUEUES)}.", code="queue_not_found")
