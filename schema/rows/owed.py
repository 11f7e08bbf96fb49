"""Which owed callbacks go next, read from the indexes. Waiting ones make a look no dearer (DESIGN §2.8, §2.10).

Rows that wait for a later try or for a closed host stand between the rows that may go. So each query here reads one
range without them: one turn, one host, or a page of the oldest.
"""

from collections.abc import Sequence
from typing import TypedDict

from schema.rows.columns import DeliveryId
from schema.rows.deliveries import in_flight_by_host
from schema.rows.jobs import PRIORITIES, PROMOTED, turn_of
from schema.rows.outbox import DELIVERIES
from schema.sql.database import Database, Place, beyond, marks
from schema.sql.times import Moment

TURNS = sorted({turn_of(priority) for priority in (*PRIORITIES.values(), PROMOTED)})
PAGE = 500  # of the oldest, looked at together


class Owed(TypedDict):
    """A callback that may go next."""

    id: DeliveryId
    turn: int
    host: str
    run_at: Moment
    recorded_at: Moment | None


class Front(Owed):
    """One of the first that are due."""

    url: str | None
    tries: int


class Aged(Owed):
    """One that is owed for longer than the deadline."""

    owed_at: Moment
    due: int  # flag


def first(db: Database, limit: int, host: str | None = None) -> list[Front]:
    """The first due callbacks of all hosts or of one (or of a lane), by turn, then by time."""
    only, params, index = "", (), DELIVERIES.index
    if host is not None:
        only, params, index = " AND host=%s", (host,), "idx_deliveries_by_host"  # type: ignore[assignment]
    one = (
        f"SELECT delivery_id AS id, turn, host, run_at, recorded_at, url, tries FROM deliveries{db.by(index)} "
        f"WHERE {DELIVERIES.due(db)}{only} AND turn=%s ORDER BY run_at, delivery_id LIMIT %s"
    )
    rows = db.fetch_all(
        " UNION ALL ".join(f"SELECT * FROM ({one}) AS turn{turn}" for turn in TURNS),
        [value for turn in TURNS for value in (*params, turn, limit)],
        of=Front,
    )
    return sorted(rows, key=order)[:limit]


def order(row: Owed) -> tuple[object, ...]:
    """Who goes first."""
    return row["turn"], row["run_at"], row["id"]


def set_apart(db: Database, lane: str, ids: Sequence[str]) -> None:
    """Put waiting callbacks of a paused path into its lane. There they keep no other path of their host waiting."""
    db.execute(
        f"UPDATE deliveries SET host=%s WHERE delivery_id IN ({marks(ids)}) AND status='queued'", (lane, *sorted(ids))
    )


def anything(db: Database, host: str) -> bool:
    """Whether anything waits for a host or in a lane, due or not, or is under way."""
    waits = "SELECT 1 FROM deliveries WHERE status='queued' AND published_at IS NULL AND host=%s LIMIT 1"
    return db.scalar(waits, (host,)) is not None or host in in_flight_by_host(db)


def next_host(db: Database, after: str | None) -> str | None:
    """The host after `after` that has anything unpublished, None after the last; "" stands for callbacks without a URL."""
    further, params = ("", ()) if after is None else (" AND host > %s", (after,))
    host: str | None = db.scalar(
        f"SELECT MIN(host) FROM deliveries WHERE status='queued' AND published_at IS NULL{further}", params
    )
    return host


def oldest(db: Database, deadline: float, after: Place | None) -> tuple[list[Owed], Place | None]:
    """The due ones on a page of those that are owed for longer than `deadline` seconds, and where the next page begins."""
    past = db.later(-deadline)
    further, params = beyond(after, "owed_at", "delivery_id")
    page = db.fetch_all(
        "SELECT delivery_id AS id, turn, host, run_at, recorded_at, owed_at, "
        f"CASE WHEN {DELIVERIES.due(db)} AND COALESCE(budget_at, owed_at) <= {past} THEN 1 ELSE 0 END AS due "
        f"FROM deliveries{db.by('idx_deliveries_age')} "
        f"WHERE status='queued' AND published_at IS NULL AND owed_at <= {past}{further} "
        "ORDER BY owed_at, delivery_id LIMIT %s",
        (*params, PAGE),
        of=Aged,
    )
    following = (page[-1]["owed_at"], page[-1]["id"]) if len(page) == PAGE else None
    return [row for row in page if row["due"]], following
