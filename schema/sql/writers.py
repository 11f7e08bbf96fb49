"""SQLite takes one writer at a time: the threads of a process stand in line for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from schema.sql.away import AT_ONCE, BUSY, LOCKED, PATIENCE, DatabaseBusy, Rerun

_SLICE = 0.1  # seconds after which a writer in line looks whether the line moves


class Writers:
    """The line of one process.

    While another program has locked the file, one thread goes on asking and all others are refused at once. Without
    that they would hold every thread of the process.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._locked_out = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be the one who writes; raises DatabaseBusy when the turn does not come."""
        until = time.monotonic() + PATIENCE
        while not self._mutex.acquire(timeout=0 if self._locked_out else _SLICE):
            if self._locked_out or time.monotonic() > until:
                raise DatabaseBusy(LOCKED if self._locked_out else BUSY)
        began = time.monotonic()
        locked = False
        try:
            yield
        except Rerun:
            locked = time.monotonic() - began > AT_ONCE
            raise
        finally:
            self._locked_out = locked
            self._mutex.release()
