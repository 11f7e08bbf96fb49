"""A value read from the database now and then, and used in between: no request waits for somebody else's read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from schema.database import DatabaseDown

T = TypeVar("T")


class Refreshed(Generic[T]):
    """`read` is called at most once every `every` seconds, by one thread; the others use what was read before.

    While the database is down the last value stays. The very first read raises DatabaseDown when it fails.
    """

    def __init__(self, read: Callable[[], T], every: float) -> None:
        self._read = read
        self._every = every
        self._value: T | None = None
        self._at = float("-inf")
        self._mutex = threading.Lock()

    def get(self, within: float | None = None) -> T:
        """The value, at most `within` seconds old (default: `every`) unless the database is down."""
        limit = self._every if within is None else within
        if time.monotonic() - self._at < limit and self._value is not None:
            return self._value
        # The first value and one wanted fresher than usual are waited for; an ordinary refresh is one thread's work.
        if not self._mutex.acquire(blocking=self._value is None or within is not None):
            assert self._value is not None
            return self._value
        try:
            if self._value is None or time.monotonic() - self._at >= limit:
                self._refresh()
            assert self._value is not None
            return self._value
        finally:
            self._mutex.release()

    def _refresh(self) -> None:
        try:
            self._value = self._read()
        except DatabaseDown:
            if self._value is None:
                raise
        self._at = time.monotonic()
