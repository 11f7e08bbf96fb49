"""Keeps leases alive, shows the worker in the `workers` table, and ends a process that cannot work any more.

In render processes every beat re-arms a timer in C (`faulthandler.dump_traceback_later`) to the lease or the job's
deadline, whichever is nearer: a process whose threads all hang, the GIL held included, dies within its lease, and its job
is rescued (DESIGN §2.7). Without this middleware every job longer than a lease would be started twice.

A process one of whose threads has died ends in order and is started again by whoever watches it: a thread that takes
messages, hands them out or publishes is never replaced, and a process that lives without it looks well and does nothing.
"""

from __future__ import annotations

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
from schema.rows.messages import QUEUES, RENDER, WEBHOOKS
from schema.sql.database import Database, DatabaseDown

log = structlog.get_logger()

# For an orderly end of a process whose parent was killed, or one of whose threads died; then it ends all the same.
ORPHAN_SECONDS = 60.0
_TABLES = {RENDER: leases.JOBS, WEBHOOKS: leases.DELIVERIES}


@dataclass(eq=False, kw_only=True)
class Heartbeats(dramatiq.Middleware):
    """One thread per process that beats for all of its attempts."""

    db: Database = field(kw_only=False)
    attempts: Attempts = field(kw_only=False)
    worker_id: str
    every: float
    lease: float
    guard_process: bool
    others: Callable[[], Sequence[threading.Thread]] = tuple  # threads beside the workers' whose death ends the process
    _ends_until: float | None = None
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
        try:
            self.beat()  # seen at once: estimates, windows and /readyz count live workers
        except DatabaseDown:
            log.warning("heartbeat.database_unavailable", worker_id=self.worker_id)
        except Exception:  # tables that the relay is about to make: the beats below must begin all the same
            log.exception("heartbeat.failed")
        if self._thread is not None:
            return
        self._thread = threading.Thread(target=self._run, name="heartbeats", daemon=True)
        self._thread.start()

    def after_worker_shutdown(self, broker: Any, worker: Any) -> None:
        with self._mutex:
            self._workers -= 1
            if self._workers:
                return  # the other one may be at work for a while, and its leases must live as long
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
            pause = self.every
            try:
                self.beat()
            except DatabaseDown:
                log.warning("heartbeat.database_unavailable", worker_id=self.worker_id)
                pause = min(1.0, pause)  # once it is back, the leases have little time left
            except Exception:
                log.exception("heartbeat.failed")
            self._arm()
            if self._done.wait(pause):
                return
            orphaned = (
                self.guard_process and os.getppid() != self._parent
            )  # whoever restarts the parent would have two of us
            if self._ends_until is not None or orphaned or self._has_died():
                self._leave()

    def _leave(self) -> None:
        """End this process. In order first, which a thread that hangs would put off for ever: then only the leases, which
        are not prolonged any more, free what it works on."""
        if self._ends_until is None:
            self._ends_until = time.monotonic() + ORPHAN_SECONDS
            os.kill(os.getpid(), signal.SIGTERM)
        elif time.monotonic() >= self._ends_until:
            os._exit(70)

    def _has_died(self) -> bool:
        """Whether a thread has died that nobody stopped."""
        dead = [thread.name for thread in self.others() if not thread.is_alive()]
        for _, worker in self._cards:
            dead += [thread.name for thread in (*_takers(worker), *_givers(worker)) if not thread.is_alive()]
        if not dead or self.attempts.stopping.is_set():
            return False
        log.critical("process.thread_died", worker_id=self.worker_id, threads=dead)
        return True

    def beat(self) -> None:
        """Prolong every lease once and update the worker's row."""
        running = self.attempts.running()
        for attempt in running:
            if attempt.hard_limit <= time.monotonic():
                continue  # a thread that hangs beyond its limit must lose its row, also where no process ends for it
            if not attempt.leased.beat(self.db, attempt.key, attempt.start_no, self.lease):
                attempt.lost = True
            self._arm()  # many attempts on a slow database are no hung process
        for card, worker in self._cards:
            card.threads = _threads_that_work(worker)
            workers.seen(self.db, card, busy=sum(_TABLES[card.kind] is attempt.leased for attempt in running))

    def _arm(self) -> None:
        if not self.guard_process:
            return
        # A slow callback must not end the others' process: it loses its row, which another worker then tells.
        limits = (a.hard_limit for a in self.attempts.running() if a.leased is leases.JOBS)
        nearest = min(limits, default=float("inf"))
        seconds = min(self.lease, nearest - time.monotonic())
        faulthandler.dump_traceback_later(max(0.1, seconds), exit=True, file=sys.stderr)


def _takers(worker: Any) -> Sequence[threading.Thread]:
    """The threads that work on messages."""
    return tuple(getattr(worker, "workers", ()))


def _givers(worker: Any) -> Sequence[threading.Thread]:
    """The threads that fetch messages, one for each queue."""
    return tuple(getattr(worker, "consumers", {}).values())


def _threads_that_work(worker: Any) -> int:
    """How many messages the worker can take at once: none when a queue's messages are fetched no more."""
    if not all(thread.is_alive() for thread in _givers(worker)):
        return 0
    return int(worker.worker_threads) - sum(not thread.is_alive() for thread in _takers(worker))
