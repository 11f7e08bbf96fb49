"""Pauses and outages are one thing: a row of `pauses` that every process reads (DESIGN §2.14).

An operator's pause has no `until`; an outage's `until` is when the next probe is due.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from schema.callbacks.urls import host_key, lane_key
from schema.errors import DependencyDown
from schema.rows.columns import DeliveryRow, PauseRow
from schema.rows.messages import WEBHOOKS
from schema.settings import Settings
from schema.sql.cached import Cached
from schema.sql.database import Database, DatabaseDown, marks, once_more, put, transactional

P = TypeVar("P")

OUTAGE = "outage"  # The value of `set_by` when an outage set the pause.
STREAK = 3  # Consecutive outage-like errors that pause a dependency …
OWNERS = 2  # … from so many jobs or deliveries, or from one of them over the outage window.

# What a scope begins with; a name follows. The errors of a host's gateway and of its paths are counted apart. They pause
# the host, or one path: `host:` and its lane (schema.callbacks.urls.lane_key).
QUEUE, DEPENDENCY, HOST, GATEWAY, PATHS = "queue:", "dependency:", "host:", "gateway:", "paths:"
MONGODB = DEPENDENCY + "mongodb"


class PauseBoard:
    """The pauses in force, read from the database at most once every `every` seconds and shared by a process."""

    def __init__(self, db: Database, every: float) -> None:
        self._db = db
        self._seen = Cached(self._read, every, stale=every)

    def _read(self) -> tuple[dict[str, PauseRow], dict[str, str]]:
        rows = in_force(self._db)
        streaks = self._db.fetch_all("SELECT scope, members FROM dependencies WHERE failures > 0")
        return rows, {row["scope"]: row["members"] for row in streaks}

    def active(self, *, fresh: bool = False) -> Mapping[str, PauseRow]:
        """Scope → row; raises DatabaseDown when the database is away."""
        return self._seen.get(within=0 if fresh else None)[0]

    def blocking(self, queue: str, *, fresh: bool = False) -> PauseRow | None:
        """The pause that keeps a queue from starting anything, if there is one."""
        return hold(self.active(fresh=fresh), queue)

    def in_streak(self, scope: str, among: str = "") -> bool:
        """Whether errors of this scope (of `among` its members) were being counted at the last look."""
        members = self._seen.last[1].get(scope) if self._seen.last else None
        return members is not None and among in members


def in_force(db: Database) -> dict[str, PauseRow]:
    """Scope → row, as the database has them now, by scope."""
    return {row["scope"]: row for row in db.fetch_all("SELECT * FROM pauses ORDER BY scope", of=PauseRow)}


def hold(rows: Mapping[str, P], queue: str) -> P | None:
    """Which of these pauses keeps a queue from starting anything."""
    if QUEUE + queue in rows:
        return rows[QUEUE + queue]
    if queue == "pdf":
        return next((row for scope, row in rows.items() if scope.startswith(DEPENDENCY)), None)
    return None


def hosts_of(scopes: Iterable[str]) -> list[str]:
    """The key of every webhook host and lane among these scopes."""
    return [scope.removeprefix(HOST) for scope in scopes if scope.startswith(HOST)]


def free(rows: Iterable[str], queue: str) -> tuple[str, tuple[str, ...]]:
    """SQL of the condition that no pause of a host keeps a row of this queue waiting, and its parameters."""
    hosts = hosts_of(rows) if queue == WEBHOOKS else []
    return (f"host NOT IN ({marks(hosts)})", tuple(hosts)) if hosts else ("1=1", ())


def of_delivery(rows: Mapping[str, P], delivery: DeliveryRow) -> P | None:
    """Which of these pauses keeps a delivery waiting."""
    url = delivery["url"]
    scopes = [HOST + delivery["host"], HOST + host_key(url), HOST + lane_key(url)] if url else []
    scopes += [] if delivery["recorded_at"] else [MONGODB]
    return hold(rows, WEBHOOKS) or next((rows[scope] for scope in scopes if scope in rows), None)


def hint_of(db: Database, delivery: DeliveryRow) -> str | None:
    """The delivery's hint; before it, what the delivery waits for beside its time."""
    pause = of_delivery(in_force(db), delivery) if delivery["status"] == "queued" else None
    if pause is None:
        return delivery["hint"]
    return f"It waits, because {named(pause['scope'])} is paused: {pause['reason']} {delivery['hint'] or ''}".rstrip()


def named(scope: str) -> str:
    """A scope as people read it: a lane without the hash of its path."""
    host, lane, _ = scope.partition("#")
    return f"one path of {host}" if lane else host


def pause(
    db: Database, scope: str, *, reason: str, by: str, seconds: float | None = None, code: str | None = None
) -> None:
    """Pause a scope, or change the reason of its pause; without `seconds` until somebody resumes it."""
    until = "NULL" if seconds is None else db.later(seconds)
    # Only operators change an operator's pause: an outage changes only its own.
    mine = f" AND set_by='{OUTAGE}'" if by == OUTAGE else ""
    change = f"UPDATE pauses SET until={until}, reason=%s, set_by=%s, code=%s WHERE scope=%s{mine}"
    insert = f"INSERT INTO pauses (scope, until, reason, set_by, since, code) VALUES (%s,{until},%s,%s,{db.now()},%s)"
    put(db, change, (reason, by, code, scope), insert, (scope, reason, by, code))


@transactional
def resume(db: Database, scope: str, *, outages_only: bool = False) -> bool:
    """Lift a pause and forget the errors that led to it; False when there was none.

    `outages_only` is for a dependency that answers again: an operator's pause stays.
    """
    only = f" AND set_by='{OUTAGE}'" if outages_only else ""
    db.execute("DELETE FROM dependencies WHERE scope=%s", (scope,))
    return db.matched(f"DELETE FROM pauses WHERE scope=%s{only}", (scope,))


@once_more
@transactional
def note_failure(
    db: Database,
    scope: str,
    member: tuple[str, int],
    *,
    streak: int,
    owners: int,
    window: float | None,
    probe_every: float,
    reason: str,
    opens: str | None = None,
    among: str = "",
    code: str | None = None,
) -> list[tuple[str, int]] | None:
    """Count one outage-like error of `member` (row key, start number); returns the streak's members when it opens a pause.

    It opens after `streak` consecutive errors from at least `owners` rows, or from one row over `window` seconds. The
    pause is of `scope`, or of the scope that it `opens`. With `among`, only members that begin so count, of the last 20.
    """
    row = db.fetch_one(
        f"SELECT failures, members, {db.age('first_failed_at')} AS age FROM dependencies WHERE scope=%s{db.lock()}",
        (scope,),
    )
    members: list[tuple[str, int]] = []
    if row is not None:
        members = [tuple(entry) for entry in msgspec.json.decode(row["members"])]
    members = [*members, member][-20:]
    failures = (row["failures"] if row else 0) + 1
    age = float(row["age"] or 0) if row and row["failures"] else 0.0
    text = msgspec.json.encode(members).decode()
    if row is None:
        db.execute(
            "INSERT INTO dependencies (scope, failures, first_failed_at, last_failed_at, members) "
            f"VALUES (%s,1,{db.now()},{db.now()},%s)",
            (scope, text),
        )
    else:
        db.execute(
            # MySQL assigns from left to right: `failures` must still be the old one when it is asked.
            f"UPDATE dependencies SET first_failed_at=CASE WHEN failures=0 THEN {db.now()} ELSE first_failed_at END, "
            f"failures=%s, last_failed_at={db.now()}, members=%s WHERE scope=%s",
            (failures, text, scope),
        )
    counted = [entry for entry in members if entry[0].startswith(among)]
    many = len({key for key, _ in counted}) >= owners
    long = window is not None and age >= window
    if (len(counted) if among else failures) < streak or not (many or long):
        return None
    pause(db, opens or scope, reason=reason, by=OUTAGE, seconds=probe_every, code=code)
    return members


def note_outage(
    db: Database, settings: Settings, error: DependencyDown, member: tuple[str, int]
) -> list[tuple[str, int]] | None:
    """Count this error of a dependency; the rest is `note_failure`'s."""
    certain = "at_once" in error.fields  # full, or a day's limit is spent: the next job would meet the same
    return note_failure(
        db,
        DEPENDENCY + error.dependency,
        member,
        streak=1 if certain else STREAK,
        owners=1 if certain else OWNERS,
        window=settings.outage_window,
        probe_every=float(str(error.fields.get("pause", settings.probe_every))),
        reason=error.detail,
        code=error.code,
    )


@transactional
def note_success(db: Database, scope: str, among: str = "") -> None:
    """End the streak (of `among` its members): it answered. Asked only when a streak was seen (`PauseBoard.in_streak`)."""
    text = db.scalar(f"SELECT members FROM dependencies WHERE scope=%s AND failures > 0{db.lock()}", (scope,))
    left = [entry for entry in msgspec.json.decode(text or "[]") if not entry[0].startswith(among)]
    db.execute(
        "UPDATE dependencies SET failures=%s, members=%s WHERE scope=%s AND failures > 0",
        (len(left), msgspec.json.encode(left).decode(), scope),
    )


def win_probe(db: Database, scope: str, probe_every: float) -> bool:
    """Whether this caller probes now: one guarded UPDATE, which one of all callers wins."""
    return db.matched(
        f"UPDATE pauses SET until={db.later(probe_every)} WHERE scope=%s AND set_by='{OUTAGE}' AND until <= {db.now()}",
        (scope,),
    )


def due_probes(db: Database) -> list[PauseRow]:
    """Outage pauses whose next probe is due."""
    try:
        return db.fetch_all(f"SELECT * FROM pauses WHERE set_by='{OUTAGE}' AND until <= {db.now()}", of=PauseRow)
    except DatabaseDown:
        return []
