"""A value read from the database now and then, and used in between: no request waits for somebody else's read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from schema.sql.database import DatabaseDown

T = TypeVar("T")

REST = 2.0  # seconds after a read that hung in which nobody reads again: callers are told at once instead
PATIENCE = 10.0  # seconds to wait for somebody else's read: as long as one statement may take


class Refreshed(Generic[T]):
    """`read` is called at most once every `every` seconds, by one thread; the others use what was read before.

    While the database is down the last value stays, for ever or, with `stale`, until it is so many seconds old. Without
    a usable value DatabaseDown is raised, in bounded time however many ask: a read that hung is not tried again by each.
    """

    def __init__(self, read: Callable[[], T], every: float, *, stale: float | None = None) -> None:
        self._read = read
        self._every = every
        self._stale = stale
        self._value: T | None = None
        self._at = float("-inf")
        self._rest_until = float("-inf")
        self._mutex = threading.Lock()

    def get(self, within: float | None = None) -> T:
        """The value, at most `within` seconds old (default: `every`) unless the database is down."""
        limit = self._every if within is None else within
        if self._due(limit):
            # A first value and one wanted fresher than usual are waited for; an ordinary refresh is one thread's work.
            waits = within is not None or not self._usable()
            if self._mutex.acquire(timeout=PATIENCE if waits else 0):
                try:
                    if self._due(limit):
                        self._refresh()
                finally:
                    self._mutex.release()
        if not self._usable():
            raise DatabaseDown("The database did not answer.")
        assert self._value is not None
        return self._value

    def _due(self, limit: float) -> bool:
        now = time.monotonic()
        return now - self._at >= limit and now >= self._rest_until

    def _usable(self) -> bool:
        return self._value is not None and (self._stale is None or time.monotonic() - self._at < self._stale)

    def _refresh(self) -> None:
        began = time.monotonic()
        try:
            self._value = self._read()
            self._at = time.monotonic()
        except DatabaseDown:
            self._rest_until = rest_until(began)


def rest_until(began: float) -> float:
    """Until when to leave the database alone after a read that began then and has failed just now.

    As long as it took, at most REST: what is refused at once costs nothing to ask, and may be back in an instant.
    """
    now = time.monotonic()
    return now + min(REST, now - began)
