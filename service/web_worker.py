"""gunicorn's threaded worker with two habits for callers who keep their connection, as load comes from.

After an answer a connection goes back to the one thread that watches all of them, and every request from there to a
thread: two hand-overs that cost more than the request itself. So a thread *stays* a moment with the caller it has
answered, unless others wait for a thread. And of connections that are opened all at once, the process that wakes first
would take every one and leave the other idle for as long as they are kept: one whose threads are all at work *lets the
others go first*.
"""

from __future__ import annotations

import select
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

_STAY = 2  # milliseconds; who comes meanwhile waits no longer than this for a thread
_LET_GO_FIRST = 0.0005  # seconds: time enough for an idle process to wake up and accept


class _Threads(ThreadPoolExecutor):
    def wanted(self) -> bool:
        """Whether somebody waits for a thread."""
        return not self._work_queue.empty()


class WebWorker(ThreadWorker):  # type: ignore[misc]
    """One process of the API."""

    def get_thread_pool(self) -> _Threads:
        return _Threads(max_workers=self.cfg.threads)

    def handle(self, conn: Any) -> Any:
        """Serve the request that has come, and those that follow at once (runs in a thread)."""
        while True:
            kept = super().handle(conn)
            if kept is not True or not self.alive or self.tpool.wanted() or not _speaks(conn.sock):
                return kept

    def accept(self, listener: Any) -> None:
        """Take one connection; another process may have been quicker (runs in the thread that watches)."""
        busy = self.nr_conns - len(self.keepalived_conns) - len(self.pending_conns)
        if busy >= self.cfg.threads:
            time.sleep(_LET_GO_FIRST)
        super().accept(listener)


def _speaks(sock: Any) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(_STAY))
