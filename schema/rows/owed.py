"""Which owed callbacks go next, read off the indexes: a look costs what it finds, not what waits (DESIGN §2.8, §2.10).

Rows that wait for a later try or for a closed host stand between the rows that may go. So each query here reads one
range without them: one turn, one host, or a page of the oldest.
"""

from __future__ import annotations

from typing import TypedDict

from schema.rows.columns import DeliveryId
from schema.rows.jobs import PRIORITIES, PROMOTED, turn_of
from schema.rows.outbox import DELIVERIES
from schema.sql.database import Database, Place, beyond
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


class Aged(Owed):
    """One that is owed for longer than the deadline."""

    owed_at: Moment
    due: int  # flag


def first(db: Database, limit: int, host: str | None = None) -> list[Owed]:
    """The first due callbacks of all hosts or of one, by turn, then by time."""
    only, params, index = "", (), DELIVERIES.index
    if host is not None:
        only, params, index = " AND host=%s", (host,), "idx_deliveries_by_host"  # type: ignore[assignment]
    one = (
        f"SELECT delivery_id AS id, turn, host, run_at, recorded_at FROM deliveries{db.by(index)} "
        f"WHERE {DELIVERIES.due(db)}{only} AND turn=%s ORDER BY run_at, delivery_id LIMIT %s"
    )
    rows = db.fetch_all(
        " UNION ALL ".join(f"SELECT * FROM ({one}) AS turn{turn}" for turn in TURNS),
        [value for turn in TURNS for value in (*params, turn, limit)],
        of=Owed,
    )
    return sorted(rows, key=order)[:limit]


def order(row: Owed) -> tuple[object, ...]:
    """Who goes first."""
    return row["turn"], row["run_at"], row["id"]


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
