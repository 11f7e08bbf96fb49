"""Signs of how the system stands: read here from the rows, judged in `schema/rows/verdict.py`.

Each look reads what is small, one index of what waits, and the last few hundred ends and posts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from schema.rows import leadership, letters, news, outbox, pace, pauses, rendered
from schema.rows.columns import PauseRow, WorkerRow
from schema.rows.jobs import REPORTS
from schema.rows.messages import QUEUES
from schema.settings import Settings
from schema.sql.database import Database, Row
from schema.sql.times import Moment, as_time

LATELY = 300.0  # Seconds that count as "lately" for ends and posts.
_MOST = 300  # Ends, and posts, that one look reads.


class End(TypedDict):
    """A round that ended lately."""

    status: str
    error_code: str | None
    ended_at: Moment


class Post(TypedDict):
    """A post that was made lately."""

    host: str
    outcome: str
    status: int | None
    failure: str | None
    started_at: Moment


@dataclass(frozen=True, slots=True)
class Signs:
    """What the rows show, all at one moment."""

    at: datetime  # The moment, by the database's clock.
    skew: float  # Seconds by which the database's clock is ahead of this process's.
    behind: float  # Seconds by which the database's clock was set back.
    looked_at: datetime | None  # When a relay last looked.
    trouble: str  # What keeps the relay from publishing; empty: nothing.
    trouble_since: datetime | None
    led_until: datetime | None  # how long somebody keeps house
    pauses: Mapping[str, PauseRow]
    workers: list[WorkerRow]  # Also workers without a recent heartbeat.
    waiting: Mapping[str, int]  # For each queue: rows that wait.
    due_since: Mapping[str, datetime | None]  # For each queue: since when its oldest row is due and free.
    ends: list[End]  # Newest first.
    posts: list[Post]  # Newest first.
    letters: int  # How many are open.
    stored: list[rendered.Waiting]  # Kept PDFs that wait for the store.
    paced: pace.PaceState | None  # How fast Drive may be written to.
    canaries: Mapping[str, datetime] = field(default_factory=dict)  # For each host: when its canary last came through.


def read(db: Database, settings: Settings) -> Signs:
    """Look once; raises DatabaseDown."""
    before = datetime.now(UTC)
    at = db.clock()
    skew = (at - before - (datetime.now(UTC) - before) / 2).total_seconds()
    notes = {row["name"]: row for row in db.fetch_all("SELECT name, value, changed_at FROM switches")}
    paused = pauses.in_force(db)
    looked, trouble, since = _relay(notes.get(leadership.RELAY))
    led = notes.get(leadership.LEADER)
    waits = {queue: _waits(db, queue, paused) for queue in QUEUES}
    return Signs(
        at=at,
        skew=skew,
        behind=clock_behind(db, settings),
        looked_at=looked,
        trouble=trouble,
        trouble_since=since,
        led_until=as_time(led["changed_at"]) if led else None,
        pauses=paused,
        workers=db.fetch_all("SELECT * FROM workers ORDER BY worker_id", of=WorkerRow),
        waiting={queue: int(row["n"]) for queue, row in waits.items()},
        due_since={
            queue: None if pauses.hold(paused, queue) or row["since"] is None else as_time(row["since"])
            for queue, row in waits.items()
        },
        ends=db.fetch_all(
            f"SELECT status, error_code, ended_at FROM pdf_job_results WHERE ended_at >= {db.later(-LATELY)} "
            f"AND {REPORTS} ORDER BY ended_at DESC LIMIT %s",
            (_MOST,),
            of=End,
        ),
        posts=db.fetch_all(
            "SELECT d.host AS host, a.outcome AS outcome, a.status AS status, a.failure AS failure, "
            "a.started_at AS started_at FROM delivery_attempts a JOIN deliveries d ON d.delivery_id = a.delivery_id "
            "WHERE a.id > (SELECT COALESCE(MAX(id), 0) FROM delivery_attempts) - %s "
            f"AND a.started_at >= {db.later(-LATELY)} AND a.outcome <> 'sending' ORDER BY a.id DESC",
            (_MOST,),
            of=Post,
        ),
        letters=sum(letters.open_by_queue(db).values()),
        stored=rendered.waiting(db),
        paced=pace.state(db, "drive"),
        canaries=news.canaries(notes),
    )


def clock_behind(db: Database, settings: Settings) -> float:
    """Seconds by which the database's clock was set back, as far as rows can tell; 0 for less than one second.

    Until the clock has caught up, rows from before are not due, and a new housekeeper finds the turn taken. Ids sort by
    time, so the key finds each table's last row.
    """
    looks = (
        f"SELECT {db.age('requested_at')} AS age FROM pdf_job_results WHERE {REPORTS} ORDER BY job_id DESC LIMIT 1",
        f"SELECT {db.age('owed_at')} AS age FROM deliveries WHERE delivery_id > '' ORDER BY delivery_id DESC LIMIT 1",
        f"SELECT {db.age('MAX(seen_at)')} AS age FROM workers",
        f"SELECT {db.age('changed_at')} + {leadership.turn(settings.sweep)} AS age FROM switches WHERE name='leader'",
    )
    ages = [db.scalar(look) for look in looks]
    behind = -min((float(age) for age in ages if age is not None), default=0.0)
    return behind if behind >= 1.0 else 0.0


def _relay(note: Row | None) -> tuple[datetime | None, str, datetime | None]:
    """When a relay last looked, what keeps it from publishing, and since when."""
    if note is None:
        return None, "", None
    looked = as_time(note["changed_at"])
    lasting, _, trouble = str(note["value"]).partition(" ")
    return looked, trouble, looked - timedelta(seconds=float(lasting)) if trouble else None


def _waits(db: Database, queue: str, paused: Mapping[str, PauseRow]) -> dict[str, Any]:
    """How many rows wait, and since when the oldest is due; callbacks to paused hosts are not due."""
    free, hosts = pauses.free(paused, queue)
    [row] = db.fetch_all(
        f"SELECT COUNT(*) AS n, MIN(CASE WHEN run_at <= {db.now()} AND {free} THEN run_at END) AS since "
        f"FROM {outbox.HINTED[queue].table} WHERE status='queued'",
        hosts,
    )
    return row
