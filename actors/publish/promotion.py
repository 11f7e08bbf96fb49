"""Promotion: jobs that waited too long move up, or endless load of higher jobs would starve them (DESIGN §2.8)."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from schema.rows import outbox
from schema.rows.jobs import PROMOTED, turn_of
from schema.rows.outbox import Outbox
from schema.settings import Settings
from schema.sql.database import Database, Row

log = structlog.get_logger()

EVERY = 1.0  # seconds between two looks
MOST = 200  # jobs looked at for each turn
EXEMPT_TURN = turn_of(PROMOTED)


@dataclass(eq=False)
class Promotion:
    """Raises jobs that have waited longer than `promote_after`; `threads` tells how many render threads live."""

    settings: Settings
    db: Database
    threads: Callable[[], int]
    _at: float = float("-inf")

    def step(self) -> None:
        """Raise the jobs that have waited too long, at most once a second.

        They go to rank 7, and the oldest of them to 9. At any time, rank 9 takes one for every four high jobs that wait,
        and at least as many as there are render threads. So the oldest job is always next, and a new high job never waits
        behind a crowd. A job that was published is published again at its new rank.
        """
        if time.monotonic() - self._at < EVERY:
            return
        self._at = time.monotonic()
        self._repeat_top()
        waiting = [row for turn in (turn_of(0), turn_of(5), EXEMPT_TURN) for row in self._waited_long(turn)]
        if not waiting:
            return
        waiting.sort(key=lambda row: (str(row["requested_at"]), row["job_id"]))
        at_top = self.db.fetch_all(
            "SELECT CASE WHEN priority<9 THEN 1 ELSE 0 END AS raised, COUNT(*) AS n FROM pdf_job_results "
            "WHERE status='queued' AND turn=0 GROUP BY 1"
        )
        counts = {int(row["raised"]): int(row["n"]) for row in at_top}
        free = max(0, max(self.threads(), counts.get(0, 0) // 4) - counts.get(1, 0))
        raised: dict[tuple[int, int], list[Row]] = defaultdict(list)
        for place, row in enumerate(waiting):
            turn = 0 if place < free else EXEMPT_TURN
            if turn != row["turn"]:
                raised[row["turn"], turn].append(row)
        # One commit for all that move together: hundreds of single commits would delay admission.
        for (before, turn), rows in raised.items():
            ids = sorted(row["job_id"] for row in rows)
            changed = self.db.execute(
                f"UPDATE pdf_job_results SET turn=%s, {Outbox.BACK} WHERE job_id IN ({','.join(['%s'] * len(ids))}) "
                "AND status='queued' AND turn=%s",
                (turn, *ids, before),
            )
            for row in rows if changed else ():
                log.info("job.promoted", job_id=row["job_id"], rank=9 - turn, waited=round(float(row["age"])))

    def _repeat_top(self) -> None:
        """Publish again the top jobs that have been in the broker for `promote_after` seconds.

        Promotion publishes low and normal jobs again. The lost message of a high job would show only in the queue's count.
        Under endless load, old copies of promoted jobs stay in the queue and hide the difference.
        """
        rows = self.db.fetch_all(
            "SELECT job_id FROM pdf_job_results WHERE status='queued' AND turn <= %s "
            f"AND published_at <= {self.db.later(-self.settings.promote_after)} ORDER BY published_at LIMIT %s",
            (EXEMPT_TURN, MOST),
        )
        for row in rows:
            if outbox.JOBS.unpublish(self.db, row["job_id"]):
                log.info("job.published_again", job_id=row["job_id"])

    def _waited_long(self, turn: int) -> list[Row]:
        """The oldest jobs of one turn that waited long enough. One query a turn, so that the index gives the order."""
        return self.db.fetch_all(
            f"SELECT job_id, turn, requested_at, {self.db.age('requested_at')} AS age FROM pdf_job_results "
            f"WHERE status='queued' AND turn=%s AND requested_at <= {self.db.later(-self.settings.promote_after)} "
            "ORDER BY requested_at, job_id LIMIT %s",
            (turn, MOST),
        )
