"""Promotion: jobs that waited too long move up, or endless load of higher jobs would starve them (DESIGN §2.8)."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from schema.rows import outbox, waiting
from schema.rows.jobs import PROMOTED, turn_of
from schema.settings import Settings
from schema.sql.database import Database

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
        after, turns = self.settings.promote_after, (turn_of(0), turn_of(5), EXEMPT_TURN)
        overdue = [row for turn in turns for row in waiting.overdue(self.db, turn, after, MOST)]
        if not overdue:
            return
        overdue.sort(key=lambda row: (str(row["requested_at"]), row["job_id"]))
        high, already = waiting.at_top(self.db)
        free = max(0, max(self.threads(), high // 4) - already)
        raised: dict[tuple[int, int], list[waiting.Overdue]] = defaultdict(list)
        for place, row in enumerate(overdue):
            turn = 0 if place < free else EXEMPT_TURN
            if turn != row["turn"]:
                raised[row["turn"], turn].append(row)
        # One commit for all that move together: hundreds of single commits would delay admission.
        for (before, turn), rows in raised.items():
            moved = waiting.move(self.db, [row["job_id"] for row in rows], before=before, turn=turn)
            for row in rows if moved else ():
                log.info("job.promoted", job_id=row["job_id"], rank=9 - turn, waited=round(float(row["age"])))

    def _repeat_top(self) -> None:
        """Publish again the top jobs that have been in the broker for `promote_after` seconds.

        Promotion publishes low and normal jobs again. The lost message of a high job would show only in the queue's count.
        Under endless load, old copies of promoted jobs stay in the queue and hide the difference.
        """
        for job_id in waiting.long_published(self.db, EXEMPT_TURN, self.settings.promote_after, MOST):
            if outbox.JOBS.unpublish(self.db, job_id):
                log.info("job.published_again", job_id=job_id)
