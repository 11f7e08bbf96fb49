"""Prolongs leases, shows the worker in the `workers` table, and ends a process that cannot work any more.

Without this middleware, every job that takes longer than a lease is started twice.

In render processes each beat re-arms a timer in C (`faulthandler.dump_traceback_later`). It fires after the lease, or at
the job's deadline if that is nearer. So a process that hangs, even one that holds the GIL, dies within its lease, and its
job is rescued (DESIGN §2.7).

A process ends in order when one of its threads has died; its supervisor starts it again. Such a thread is never replaced:
without it, the process would look well and do nothing.
"""

import faulthandler
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import dramatiq
import structlog

from middleware.hooks.lifecycle import Attempts
from schema import VERSION
from schema.environment.fitting import fit
from schema.rows import leases, workers
from schema.rows.messages import QUEUES
from schema.sql.database import Database, DatabaseDown

log = structlog.get_logger()

# Time for an orderly end when the parent was killed or a thread has died; after it the process ends at once.
ORPHAN_SECONDS = 60.0


@dataclass(eq=False, kw_only=True)
class Heartbeats(dramatiq.Middleware):
    """One thread per process that beats for all of its attempts."""

    db: Database = field(kw_only=False)
    attempts: Attempts = field(kw_only=False)
    worker_id: str
    every: float
    lease: float
    guard_process: bool
    stop_within: float = 0.0  # seconds from the order to stop, in which uploads under way may end
    others: Callable[[], Sequence[threading.Thread]] = tuple  # threads beside the workers' whose death ends the process
    _ends_until: float | None = None
    _stop_until: float = 0.0  # monotonic
    _done: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _cards: list[tuple[workers.Card, Any]] = field(default_factory=list)
    _workers: int = 0  # that were not shut down
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        # As it was when this process was forked: the parent may have been killed before we came here.
        started_by = multiprocessing.parent_process()
        self._parent = started_by.pid if started_by is not None else os.getppid()

    def after_worker_boot(self, broker: Any, worker: Any) -> None:
        for queue in sorted(worker.consumer_whitelist or QUEUES):
            card = workers.Card(
                worker_id=f"{self.worker_id}/{queue}",
                kind=queue,
                host=fit(socket.gethostname(), 255),
                pid=os.getpid(),
                threads=worker.worker_threads,
                version=VERSION,
            )
            self._cards.append((card, worker))
        with self._mutex:
            self._workers += 1
        self._try_beat()  # at once: estimates, windows and /readyz count live workers
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="heartbeats", daemon=True)
            self._thread.start()

    def before_worker_shutdown(self, broker: Any, worker: Any) -> None:
        self._stop_until = self._stop_until or time.monotonic() + self.stop_within

    def after_worker_shutdown(self, broker: Any, worker: Any) -> None:
        with self._mutex:
            self._workers -= 1
            if self._workers:
                return  # the other worker may still be busy, and its leases must be prolonged
        while self.attempts.running() and time.monotonic() < self._stop_until:
            time.sleep(0.05)  # uploads end, and their leases are prolonged meanwhile
        self._done.set()
        if self._thread is not None:
            self._thread.join(self.every + 1)
        faulthandler.cancel_dump_traceback_later()
        for card, _ in self._cards:
            try:
                workers.leave(self.db, card.worker_id)
            except DatabaseDown:
                log.warning("worker.leave_failed", worker_id=card.worker_id)
        self._cards.clear()

    def _run(self) -> None:
        while True:
            self._arm()
            # When the database or its tables are there, the leases have little time left, and this worker counts as gone.
            pause = self.every if self._try_beat() else min(1.0, self.every)
            self._arm()
            if self._done.wait(pause):
                return
            # Without its parent: the supervisor starts a new one, with new workers.
            orphaned = self.guard_process and os.getppid() != self._parent
            if self._ends_until is not None or orphaned or self._has_died():
                self._leave()

    def _try_beat(self) -> bool:
        """Beat; False when that failed. The relay may not have made the tables yet: the beats begin anyway."""
        try:
            self.beat()
        except DatabaseDown:
            log.warning("heartbeat.database_unavailable", worker_id=self.worker_id)
        except Exception:
            log.exception("heartbeat.failed")
        else:
            return True
        return False

    def _leave(self) -> None:
        """End this process in order; after ORPHAN_SECONDS at once, because a thread that hangs delays an orderly end for ever.

        Leases that are no longer prolonged then free its rows.
        """
        if self._ends_until is None:
            self._ends_until = time.monotonic() + ORPHAN_SECONDS
            os.kill(os.getpid(), signal.SIGTERM)
        elif time.monotonic() >= self._ends_until:
            os._exit(70)

    def _has_died(self) -> bool:
        """Whether a thread has died although the process was not stopped."""
        threads = [*self.others(), *(thread for _, worker in self._cards for thread in _threads(worker))]
        dead = [thread.name for thread in threads if not thread.is_alive()]
        if not dead or self.attempts.stopping.is_set():
            return False
        log.critical("process.thread_died", worker_id=self.worker_id, threads=dead)
        return True

    def beat(self) -> None:
        """Prolong every lease once and update the worker's row."""
        running = self.attempts.running()
        for attempt in running:
            if attempt.hard_limit <= time.monotonic():
                continue  # a thread that hangs beyond its limit must lose its row, even when its process lives on
            if not attempt.leased.beat(self.db, attempt.key, attempt.start_no, self.lease):
                attempt.lost = True
            self._arm()  # many attempts on a slow database do not mean that the process hangs
        for card, worker in self._cards:
            card.threads = _threads_that_work(worker)
            card.dead = sum(not thread.is_alive() for thread in _threads(worker))
            begun = self.attempts.last_begun.get(leases.OF_QUEUE[card.kind].table)
            card.claimed = None if begun is None else time.monotonic() - begun
            workers.seen(self.db, card, busy=sum(leases.OF_QUEUE[card.kind] is attempt.leased for attempt in running))

    def _arm(self) -> None:
        if not self.guard_process:
            return
        # A slow callback or upload must not end the process of others. It loses its row, and another worker takes it.
        limits = (a.hard_limit for a in self.attempts.running() if a.leased is leases.JOBS)
        nearest = min(limits, default=float("inf"))
        seconds = min(self.lease, nearest - time.monotonic())
        faulthandler.dump_traceback_later(max(0.1, seconds), exit=True, file=sys.stderr)


def _threads(worker: Any, *kinds: str) -> list[threading.Thread]:
    """A worker's threads, of these kinds: "workers" handle messages, "consumers" fetch them, one for each queue."""
    found: list[threading.Thread] = []
    for kind in kinds or ("workers", "consumers"):
        threads = getattr(worker, kind, ())
        found += threads.values() if isinstance(threads, dict) else threads
    return found


def _threads_that_work(worker: Any) -> int:
    """How many messages the worker can take at once: none when a thread that fetches them has died."""
    if not all(thread.is_alive() for thread in _threads(worker, "consumers")):
        return 0
    return int(worker.worker_threads) - sum(not thread.is_alive() for thread in _threads(worker, "workers"))
