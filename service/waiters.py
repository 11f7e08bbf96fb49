"""Callers that wait for a job's end: one query for all of them, however many wait.

A waiter holds a thread of the process. REPORTQ_API_WAITERS limits the number of waiters, so that the endpoints that
answer at once always have threads left.
"""

import threading
import time
from collections.abc import Callable

import structlog

from schema.rows import batches, jobs
from schema.sql.database import Database, DatabaseDown

log = structlog.get_logger()

_EVERY = 0.1  # seconds between looks while anybody waits


class WaiterBoard:
    """Who waits for which job or batch. The poller's thread lives only while somebody waits.

    `stopping` says that this process works on no more jobs: then every waiter is answered.
    """

    def __init__(self, db: Database, most: int, stopping: Callable[[], bool] = lambda: False) -> None:
        self._db = db
        self._most = most
        self._stopping = stopping
        self._waiters: dict[threading.Event, str] = {}  # set when it has ended → its id
        self._polling = False
        self._mutex = threading.Lock()

    def wait(self, job_id: str, seconds: float) -> bool:
        """Wait until the job (or batch) has ended, or is gone, for at most `seconds`; False, at once, when too many wait."""
        ended = threading.Event()
        with self._mutex:
            if len(self._waiters) >= self._most:
                return False
            self._waiters[ended] = job_id
            if not self._polling:
                self._polling = True
                threading.Thread(target=self._poll, name="waiters", daemon=True).start()
        try:
            ended.wait(seconds)
        finally:
            with self._mutex:
                del self._waiters[ended]
        return True

    def _poll(self) -> None:
        try:
            while True:
                with self._mutex:
                    waiters = dict(self._waiters)
                    if not waiters:
                        self._polling = False
                        return
                try:
                    self._look(waiters)
                except DatabaseDown:
                    pass  # they go on waiting: the database comes back in time, or they are told that the job is queued
                except Exception:
                    log.exception("waiters.look_failed")
                time.sleep(_EVERY)
        finally:
            self._db.close()

    def _look(self, waiters: dict[threading.Event, str]) -> None:
        ids = sorted(set(waiters.values()))
        going_on = jobs.unended(self._db, ids)
        if of_batches := [key for key in ids if key.startswith("bat_")]:
            going_on |= batches.unended(self._db, of_batches)
        for ended, job_id in waiters.items():
            if job_id not in going_on or self._stopping():
                ended.set()
