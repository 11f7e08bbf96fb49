"""A value that is read from the database now and then. Between two reads all threads share the last one."""

import threading
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Generic, TypeVar

from schema.sql.away import PATIENCE, DatabaseDown
from schema.sql.database import Database

T = TypeVar("T")

REST = 2.0  # most seconds without a read after one that hung: callers are told at once


_SILENT = DatabaseDown("The database did not answer.")


@dataclass(eq=False, repr=False)
class Cached(Generic[T]):
    """One thread calls `read`, at most once every `every` seconds; the others use the value that was read before.

    After a read that took s seconds, at least s × `share` pass without one. While the database is away the last value
    stays for ever, or with `stale` for so many seconds. Then `get` raises DatabaseDown, in bounded time however many
    ask: a read that hung is not tried again by each of them.

    With `patience` a thread of its own reads, and closes its connection to `db`. A caller waits so many seconds for it
    at most, and all callers together so long: then the last value is told, or DatabaseDown raised. The first value, for
    want of a last one, is waited for `first` seconds.
    """

    read: Callable[[], T]
    every: float
    _: KW_ONLY
    stale: float | None = None
    share: float = 0.0
    patience: float | None = None
    first: float | None = None
    db: Database | None = None
    last: T | None = None  # what was read last, however old; None before the first read
    _at: float = float("-inf")
    _cost: float = 0.0
    _rest_until: float = float("-inf")
    _why: Exception = _SILENT
    _mutex: threading.Lock = field(default_factory=threading.Lock)
    _reader: threading.Thread | None = None
    _began: float = 0.0

    def get(self, within: float | None = None) -> T:
        """The value, at most `within` seconds old (default: `every`) unless the database is down."""
        limit = self.every if within is None else within
        # One moment for all questions. With two, a value could be too young for a read and a little later too old to tell.
        now = time.monotonic()
        due = self._due(limit, now)
        if self.patience is not None:
            self._read_aside(limit, now, self.first if self.first and self.last is None else self.patience)
        elif due:
            # A first value and one wanted fresher than usual are waited for; an ordinary refresh is one thread's work.
            waits = within is not None or not self._usable(now)
            if self._mutex.acquire(timeout=PATIENCE if waits else 0):
                try:
                    if self._due(limit, now):
                        self._refresh()
                finally:
                    self._mutex.release()
        if due and self._at < now:  # nothing was read meanwhile: the last value has grown older
            now = time.monotonic()
        if not self._usable(now):
            if not isinstance(self._why, DatabaseDown):
                raise self._why
            raise type(self._why)(self._why.detail)
        assert self.last is not None
        return self.last

    def kept(self) -> T:
        """The last value while it may be told, for callers beside a thread that keeps it fresh; else as `get`."""
        return self.last if self.last is not None and self._usable(time.monotonic()) else self.get()

    def _due(self, limit: float, now: float) -> bool:
        return now - self._at >= max(limit, self.share * self._cost) and now >= self._rest_until

    def _usable(self, now: float) -> bool:
        if self.last is None or self.stale is None:
            return self.last is not None
        return now - self._at < self.stale + self.share * self._cost

    @property
    def age(self) -> float | None:
        """Seconds since the last value was read; None before the first."""
        return None if self.last is None else time.monotonic() - self._at

    def _read_aside(self, limit: float, now: float, patience: float) -> None:
        with self._mutex:
            if self._due(limit, now) and (self._reader is None or not self._reader.is_alive()):
                self._reader = threading.Thread(target=self._run, name="reads-rows", daemon=True)
                self._began = time.monotonic()
                self._reader.start()
            reader = self._reader
        if reader is not None:
            reader.join(max(0.0, self._began + patience - time.monotonic()))
            if reader.is_alive():
                self._why = _SILENT

    def _run(self) -> None:
        try:
            self._refresh()
        except Exception as error:
            self._why = error
        finally:
            if self.db is not None:
                self.db.close()

    def _refresh(self) -> None:
        began = time.monotonic()
        try:
            self.last = self.read()
        except DatabaseDown as error:
            self._why = error
            # As long as it took: what is refused at once costs nothing to ask, and may be back in an instant.
            now = time.monotonic()
            self._rest_until = now + min(REST, now - began)
        else:
            self._at = time.monotonic()
            self._cost = self._at - began
            self._why = _SILENT
