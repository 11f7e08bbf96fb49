"""Rows that are published as messages: jobs, deliveries, and the `.XQ` copies of dead letters (DESIGN §2.1).

A row is its own outbox. A relay takes due rows for a short while, publishes a message for each with confirm, and marks
the confirmed ones. The columns for this are `PublishedColumns` (schema/rows/columns.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ulid import ULID

from schema.rows.messages import RENDER, WEBHOOKS, Due, DueJob, DueLetter, DueWork
from schema.sql.database import Database, marks

D = TypeVar("D", bound=Due)


@dataclass(frozen=True, slots=True)
class Taken(Generic[D]):
    """The rows that one relay holds under one token."""

    token: str
    rows: list[D]


@dataclass(frozen=True, slots=True)
class Outbox(Generic[D]):
    """How one table's rows wait to be published."""

    row: type[D]  # as it is taken
    table: str
    key: str
    waiting: str  # status of a row that waits
    order: str  # Which row goes first.
    index: str  # The index that holds this order for rows that are not published.
    columns: str  # What a message is built from, besides the key.

    # What every return to waiting sets, beside the status and run_at.
    BACK = "published_at=NULL, relay_token=NULL, relay_until=NULL, hint_no=hint_no+1"

    def due(self, db: Database) -> str:
        """SQL of the condition that a row waits, its time has come, and no relay has it."""
        free = f"(relay_until IS NULL OR relay_until <= {db.now()})"
        return f"status='{self.waiting}' AND published_at IS NULL AND run_at <= {db.now()} AND {free}"

    def take(self, db: Database, *, limit: int, hold: float, only: str = "1=1") -> Taken[D]:
        """Claim up to `limit` due rows for `hold` seconds, in their order; `only` narrows them."""
        seen = db.column(
            f"SELECT {self.key} AS id, {self.columns} FROM {self.table}{db.by(self.index)} "
            f"WHERE {self.due(db)} AND {only} ORDER BY {self.order} LIMIT %s",
            (limit,),
        )
        return self.seize(db, seen, hold)

    def seize(self, db: Database, ids: Sequence[str], hold: float) -> Taken[D]:
        """Claim these rows for `hold` seconds, as far as they are due. Two relays never get the same row."""
        if not ids:
            return Taken("", [])
        token = str(ULID())
        # By primary key, so that two relays lock rows in one order and never a range of a secondary index.
        db.execute(
            f"UPDATE {self.table} SET relay_token=%s, relay_until={db.later(hold)} "
            f"WHERE {self.key} IN ({marks(ids)}) AND {self.due(db)}",
            (token, *sorted(ids)),
        )
        rows = db.fetch_all(
            f"SELECT {self.key} AS id, hint_no, {self.columns} FROM {self.table} "
            f"WHERE {self.key} IN ({marks(ids)}) AND relay_token=%s",
            (*ids, token),
            of=self.row,
        )
        place = {key: n for n, key in enumerate(ids)}
        return Taken(token, sorted(rows, key=lambda row: place[row["id"]]))

    def mark(self, db: Database, taken: Taken[D], published: Iterable[D]) -> int:
        """Note that the messages of these rows were confirmed, except of rows that have moved on since they were taken."""
        marked = 0
        for hint_no, ids in self._by_hint(published).items():
            marked += db.execute(
                f"UPDATE {self.table} SET published_at={db.now()}, relay_token=NULL, relay_until=NULL "
                f"WHERE {self.key} IN ({marks(ids)}) AND relay_token=%s AND hint_no=%s AND status='{self.waiting}'",
                (*ids, taken.token, hint_no),
            )
        return marked

    def release(self, db: Database, taken: Taken[D], rows: Iterable[D]) -> None:
        """Give taken rows back at once: their messages were not confirmed."""
        for hint_no, ids in self._by_hint(rows).items():
            db.execute(
                f"UPDATE {self.table} SET relay_token=NULL, relay_until=NULL "
                f"WHERE {self.key} IN ({marks(ids)}) AND relay_token=%s AND hint_no=%s",
                (*ids, taken.token, hint_no),
            )

    def unpublish(self, db: Database, key: str) -> bool:
        """Publish a waiting row again: its message met a pause and was forgotten. False when there was no message.

        A relay may still hold the row, since a message often arrives before its relay has marked it. That mark is void.
        """
        return db.matched(
            f"UPDATE {self.table} SET {self.BACK} WHERE {self.key}=%s AND status='{self.waiting}' "
            "AND (published_at IS NOT NULL OR relay_token IS NOT NULL)",
            (key,),
        )

    def unpublish_oldest(self, db: Database, count: int) -> int:
        """Publish the `count` rows again that were published first: so many messages were lost (DESIGN §2.9)."""
        oldest = db.column(
            f"SELECT {self.key} AS id FROM {self.table} WHERE status='{self.waiting}' AND published_at IS NOT NULL "
            "ORDER BY published_at LIMIT %s",
            (count,),
        )
        return sum(self.unpublish(db, key) for key in oldest)

    def unpublish_all(self, db: Database) -> int:
        """Publish every waiting row again: the in-process broker starts empty."""
        return db.execute(
            f"UPDATE {self.table} SET {self.BACK} WHERE status='{self.waiting}' "
            "AND (published_at IS NOT NULL OR relay_token IS NOT NULL)"
        )

    def published(self, db: Database) -> int:
        """How many rows have a message in the broker and are not claimed yet."""
        return db.count(f"SELECT COUNT(*) FROM {self.table} WHERE status='{self.waiting}' AND published_at IS NOT NULL")

    def published_by(self, db: Database, group: str) -> dict[int, int]:
        """Number → how many of them; the expression `group` gives each row its number."""
        found = db.tally(
            f"SELECT {group} AS place, COUNT(*) AS n FROM {self.table} "
            f"WHERE status='{self.waiting}' AND published_at IS NOT NULL GROUP BY 1"
        )
        return {int(place): count for place, count in found.items()}

    @staticmethod
    def _by_hint(rows: Iterable[D]) -> dict[int, list[str]]:
        groups: dict[int, list[str]] = defaultdict(list)
        for row in rows:
            groups[row["hint_no"]].append(row["id"])
        return {hint_no: sorted(ids) for hint_no, ids in groups.items()}


JOBS = Outbox(
    DueJob, "pdf_job_results", "job_id", "queued", "turn, requested_at, job_id", "idx_jobs_due", "turn, traceparent"
)
DELIVERIES = Outbox(
    DueWork,
    "deliveries",
    "delivery_id",
    "queued",
    "turn, run_at, delivery_id",
    "idx_deliveries_admission",
    "turn, host",
)
HINTED: Mapping[str, Outbox[Any]] = {RENDER: JOBS, WEBHOOKS: DELIVERIES}  # the rows that a queue's messages name
_LETTER_COLUMNS = (
    "queue, kind, job_id, delivery_id, error_code, error_message, attempts, first_failed_at, last_failed_at, traceback, "
    "code, product_id, raw"
)
_LETTERS = ("kind, run_at, dead_letter_id", "idx_dead_due", _LETTER_COLUMNS)
DEAD_LETTERS = Outbox(DueLetter, "dead_letters", "dead_letter_id", "open", *_LETTERS)
RAW_REPLAYS = Outbox(DueLetter, "dead_letters", "dead_letter_id", "replayed", *_LETTERS)
