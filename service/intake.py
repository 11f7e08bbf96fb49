"""Submissions that arrive at the same time share one INSERT and one commit.

A submission that comes while a statement is on its way waits. The first one that waits then writes for all of them. A
submission that comes alone is written at once. A commit to disk costs the same for one row as for eight.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from schema.rows import jobs
from schema.sql.database import Database, DatabaseDown

MOST = 64  # rows in one statement


@dataclass(eq=False, slots=True)
class _Waiting:
    """One caller. `turn` is released when its row is written or refused, or when it must write for the others."""

    job: jobs.NewJob
    turn: threading.Lock = field(default_factory=threading.Lock)
    done: bool = False
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self.turn.acquire()


class Intake:
    """`submit` for the threads of one process. Each call returns, or raises, the outcome of its own job.

    `wake` is called after every commit: once for all who shared it.
    """

    def __init__(self, db: Database, wake: Callable[[], None]) -> None:
        self._db = db
        self._wake = wake
        self._mutex = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._writing = False

    def submit(self, job: jobs.NewJob) -> None:
        """Write the job, as jobs.submit does: committed when it returns. Raises KeyTaken, DatabaseDown."""
        if job.inline is not None or job.idempotency_key is not None:
            jobs.submit(self._db, job)  # two rows, or a refusal that is its own
            self._wake()
            return
        mine = _Waiting(job)
        with self._mutex:
            self._waiting.append(mine)
            first = not self._writing
            self._writing = True
        if not first:
            mine.turn.acquire()
        if not mine.done:
            self._write()
        if mine.error is not None:
            raise mine.error

    def _write(self) -> None:
        """Write the jobs of all who wait, this caller's too, and hand over to the next one that came meanwhile."""
        with self._mutex:
            together, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            jobs.submit_all(self._db, [one.job for one in together])
        except BaseException as error:
            refused = isinstance(error, Exception) and not isinstance(error, DatabaseDown)
            for one in together:
                one.error = self._alone(one.job) if refused else error
        with self._mutex:
            following = self._waiting[0] if self._waiting else None
            self._writing = following is not None
        if following is not None:
            following.turn.release()  # first, so that its statement runs while these are answered
        for one in together:
            one.done = True
            one.turn.release()
        self._wake()

    def _alone(self, job: jobs.NewJob) -> Exception | None:
        """Write one job by itself: a row of the shared statement was refused, and each caller gets its own outcome."""
        try:
            jobs.submit(self._db, job)
        except Exception as error:
            return error
        return None
