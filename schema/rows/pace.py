"""The pace of writes to a service, shared by all processes: one row of `paces` for each scope.

Each call is one short transaction. Nothing is locked while a write is under way. The database's clock decides.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict, TypeVar

import msgspec

from schema.rows import pacer
from schema.rows.pacer import Pace
from schema.sql.database import Database, once_more, transactional
from schema.sql.times import Moment, as_time

T = TypeVar("T")


class PaceRow(TypedDict):
    """What is known of how fast a service may be written to (table `paces`)."""

    scope: str  # The service: `drive`.
    pace: str  # JSON of schema.rows.pacer.Pace.
    changed_at: Moment


class _Read(PaceRow):
    now: Moment


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave for `count` writes; for none of them before `wait` seconds have passed."""

    count: int
    wait: float
    number: int = 0  # of its last write
    at: float = 0.0  # seconds of the database's clock


@dataclass(frozen=True, slots=True)
class PaceState:
    """What people and metrics are shown."""

    rate: float | None  # writes/s; None: nothing was refused so far
    written: int
    refused: int


def take(db: Database, scope: str, wanted: int, *, start: float) -> Grant:
    """Ask for leave to write now. `start` is the pace, in writes/s, while nothing is known of the service."""
    if (seen := _read(db, scope, start)) is not None:
        # Most who ask are refused: they only read.
        count, wait = pacer.grant(seen[0], seen[1], wanted)
        if not count:
            return Grant(0, wait)

    def work(pace: Pace, now: float) -> Grant:
        count, wait = pacer.grant(pace, now, wanted)
        return Grant(count, wait, pace.number, now)

    return _change(db, scope, start, work)


def note(
    db: Database, scope: str, grant: Grant, *, written: int = 0, refused: int = 0, retry_after: float | None = None
) -> None:
    """Report what became of writes of a grant. A service that was away has neither written nor refused."""

    def work(pace: Pace, now: float) -> Grant:
        pacer.judge(
            pace, now, granted_at=grant.at, number=grant.number, written=written, refused=refused,
            retry_after=retry_after, jitter=random.random(),
        )  # fmt: skip
        return grant

    _change(db, scope, pacer.SLOWEST, work)


def state(db: Database, scope: str) -> PaceState | None:
    """How the scope stands; None when nobody has written yet."""
    if (seen := _read(db, scope, pacer.SLOWEST)) is None:
        return None
    pace, _ = seen
    return PaceState(pace.rate if pace.limited else None, pace.written, pace.refused)


def _read(db: Database, scope: str, start: float, *, lock: str = "") -> tuple[Pace, float] | None:
    row = db.fetch_one(f"SELECT *, {db.now()} AS now FROM paces WHERE scope=%s{lock}", (scope,), of=_Read)
    if row is None:
        return None
    try:
        pace = msgspec.json.decode(row["pace"], type=Pace)
    except msgspec.MsgspecError:  # another version wrote it
        pace = Pace(rate=start)
    return pace, as_time(row["now"]).timestamp()


@once_more
@transactional
def _change(db: Database, scope: str, start: float, work: Callable[[Pace, float], T]) -> T:
    seen = _read(db, scope, start, lock=db.lock())
    pace, now = seen or (Pace(rate=start), db.clock().timestamp())
    result = work(pace, now)
    text = msgspec.json.encode(pace).decode()
    if seen is None:
        db.execute(f"INSERT INTO paces (scope, pace, changed_at) VALUES (%s,%s,{db.now()})", (scope, text))
    else:
        db.execute(f"UPDATE paces SET pace=%s, changed_at={db.now()} WHERE scope=%s", (text, scope))
    return result
