"""One SQL database, SQLite or MySQL/MariaDB, behind the few calls that the rows' modules need.

Peewee keeps the connections (one per thread) and the drivers' differences; statements are written as SQL with `%s`
parameters because guarded transitions must be read word by word. The database's clock is the only clock (DESIGN §2.5):
`now()`, `later()` and `age()` give its expressions.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import peewee

from schema.errors import Transient
from schema.mysql import DEADLOCKS, LOST, MySQL, force_close, hung_up

T = TypeVar("T")
Row = dict[str, Any]
Place = tuple[Any, str]  # a moment, as the column gave it, and a key: where a page ended

_RERUNS = 8
AT_ONCE = 1.0  # seconds; a connection that failed later has hung, and asking again would only keep the caller waiting


class DatabaseDown(Transient):
    """The database did not answer in time, or dropped the connection; what was asked may or may not have happened."""

    code = "database_unavailable"


class DatabaseBusy(DatabaseDown):
    """It answers, but these rows were wanted by too many: nothing has happened."""


class Database:
    """Statements, transactions, and the clock of one database. Safe for threads: each has its own connection."""

    def __init__(self, url: str, *, connect_timeout: float = 3.0, io_timeout: float = 10.0) -> None:
        parts = urlsplit(url)
        self.dialect = parts.scheme
        self._ready_at = threading.local()
        self._mutex = threading.RLock()  # SQLite: one writer at a time in this process, first come first served
        if self.dialect == "sqlite":
            path = url.removeprefix("sqlite:///")
            Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)
            self.path = path
            self.peewee: Any = peewee.SqliteDatabase(
                path,
                timeout=5,
                check_same_thread=False,
                pragmas={
                    "journal_mode": "wal",
                    "synchronous": "full",
                    "foreign_keys": 1,
                    "busy_timeout": 5000,
                },
            )
        else:
            self.peewee = MySQL.open(parts, connect_timeout=connect_timeout, io_timeout=io_timeout)

    # -- statements ---------------------------------------------------------------------------------------------

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run one statement and return the number of rows it matched; commits by itself outside a transaction."""
        return int(self._run(sql, params).rowcount)

    def fetch_all(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query as dicts."""
        cursor = self._run(sql, params)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def fetch_one(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        """The first row of a query, or None."""
        rows = self.fetch_all(sql, params)
        return rows[0] if rows else None

    def scalar(self, sql: str, params: Sequence[Any] = ()) -> Any:
        """The first column of the first row, or None."""
        cursor = self._run(sql, params)
        row = cursor.fetchone()
        return row[0] if row else None

    def defer(self, sql: str, params: Sequence[Any] = ()) -> None:
        """Execute in this transaction, but without waiting: MySQL is asked together with the next statement or COMMIT.

        Nothing of it is known but that all of it is done when the transaction is.
        """
        if self.dialect == "mysql" and self.in_transaction():
            self.peewee.defer(sql, params)
        else:
            self.execute(sql, params)

    def _run(self, sql: str, params: Sequence[Any]) -> Any:
        reads = sql.lstrip()[:6].upper() == "SELECT"
        if self.dialect == "sqlite":
            sql = sql.replace("%s", "?")
        if self.in_transaction():
            return self._ask(sql, params)
        began = time.monotonic()
        for rerun in range(_RERUNS):
            try:
                if self.dialect == "sqlite" and not reads:
                    with self._mutex:
                        return self._ask(sql, params)
                return self._ask(sql, params)
            except _Rerun:
                time.sleep(0.005 * 2**rerun)
            except DatabaseDown:
                # A restarted server has dropped every connection: a read may simply be asked again, once.
                if not reads or rerun or time.monotonic() - began > AT_ONCE:
                    raise
        raise DatabaseBusy("The database is too busy: the same rows were wanted by too many.")

    def _ask(self, sql: str, params: Sequence[Any]) -> Any:
        try:
            self._checkout()
            return self.peewee.execute_sql(sql, tuple(params) or None)
        except (peewee.OperationalError, peewee.InterfaceError) as error:
            raise self._sorted(error) from error
        except Exception:
            raise
        except BaseException:
            # A time limit struck in the middle of it: the next statement would be given this one's answer.
            if self.dialect == "mysql":
                force_close(self.peewee._state.conn)
            raise

    def _checkout(self) -> None:
        """Reconnect a connection that idled: servers drop those, and a restarted server has forgotten all of them."""
        if self.dialect == "sqlite" or self.in_transaction():
            return
        last = getattr(self._ready_at, "time", None)
        now = time.monotonic()
        if not self.peewee.is_closed() and (
            hung_up(self.peewee._state.conn)
            or (last is not None and now - last > 30 and not self.peewee.is_connection_usable())
        ):
            self._drop()
        self._ready_at.time = now

    def _sorted(self, error: Exception) -> Exception:
        number = _number(error)
        if number in DEADLOCKS or "database is locked" in str(error):
            return _Rerun(str(error))
        if self.dialect == "mysql" and (number in LOST or isinstance(error, peewee.InterfaceError)):
            if self.in_transaction():
                # The state stays until the transaction has ended: what its work still asks must fail, not begin anew.
                force_close(self.peewee._state.conn)
            else:
                self._drop()
            return DatabaseDown("The database did not answer.")
        if self.dialect == "sqlite" and ("unable to open" in str(error) or "disk" in str(error)):
            return DatabaseDown("The database file cannot be used.")
        return error

    def _drop(self) -> None:
        state = self.peewee._state
        connection = state.conn
        state.reset()
        force_close(connection)

    # -- transactions -------------------------------------------------------------------------------------------

    def in_transaction(self) -> bool:
        return bool(self.peewee.in_transaction())

    def transaction(self, work: Callable[[], T]) -> T:
        """Run `work` in one transaction and return its result; the whole of it runs again after a deadlock.

        Raises DatabaseDown when the connection is lost; then the commit may or may not have happened. Inside another
        transaction `work` simply joins it.
        """
        if self.in_transaction():
            return work()
        for rerun in range(_RERUNS):
            try:
                with self._begun():
                    return work()
            except _Rerun:
                if rerun == _RERUNS - 1:
                    raise DatabaseBusy("The database is too busy: the same rows were wanted by too many.") from None
                time.sleep(0.005 * 2**rerun)
        raise AssertionError("unreachable")

    @contextmanager
    def _begun(self) -> Iterator[None]:
        if self.dialect == "sqlite":
            with self._mutex, self._translated(), self.peewee.atomic("IMMEDIATE"):
                yield
        else:
            self._checkout()
            with self._translated(), self.peewee.atomic():
                yield

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (peewee.OperationalError, peewee.InterfaceError) as error:
            raise self._sorted(error) from error
        except DatabaseDown:
            self._drop()
            raise
        except Exception:
            raise
        except BaseException:
            if self.dialect == "mysql":
                self._drop()  # a time limit may have struck in the middle of COMMIT
            raise

    def by(self, index: str) -> str:
        """SQL behind a table's name: read this index, and from where the conditions begin.

        MariaDB guesses no better than "half of the table" of a long range, and then begins with its first entry.
        """
        return f" FORCE INDEX ({index})" if self.dialect == "mysql" else ""

    # -- the clock ----------------------------------------------------------------------------------------------

    def now(self) -> str:
        """SQL of the present moment, UTC."""
        return "UTC_TIMESTAMP(6)" if self.dialect == "mysql" else self.later(0)

    def later(self, seconds: float) -> str:
        """SQL of the moment `seconds` from now (negative: ago)."""
        if self.dialect == "mysql":
            return f"TIMESTAMPADD(MICROSECOND,{round(seconds * 1e6)},UTC_TIMESTAMP(6))"
        return f"strftime('%Y-%m-%d %H:%M:%f','now','{seconds:+.3f} seconds')"

    def age(self, column: str) -> str:
        """SQL of the seconds since the moment in `column`, as a float."""
        if self.dialect == "mysql":
            return f"(TIMESTAMPDIFF(MICROSECOND,{column},UTC_TIMESTAMP(6))/1000000.0)"
        return f"((julianday('now')-julianday({column}))*86400.0)"

    def clock(self) -> datetime:
        """What the database's clock says, UTC."""
        moment = as_time(self.scalar(f"SELECT {self.now()}"))
        assert moment is not None
        return moment

    # -- life ---------------------------------------------------------------------------------------------------

    def ping(self) -> None:
        """Raise DatabaseDown unless the database answers."""
        self.scalar("SELECT 1")

    def close(self) -> None:
        """Close this thread's connection."""
        if not self.peewee.is_closed():
            self.peewee.close()


def patiently(work: Callable[[], T], seconds: float | None = None, *, waiting: Callable[[], None] = lambda: None) -> T:
    """Run `work` again until the database answers, for at most `seconds` (None: for ever).

    `work` must be guarded: it may have happened although its answer was lost.
    """
    until = None if seconds is None else time.monotonic() + seconds
    pause = 0.1
    while True:
        try:
            return work()
        except DatabaseDown:
            if until is not None and time.monotonic() + pause > until:
                raise
            waiting()
            time.sleep(pause)
            pause = min(1.0, pause * 2)


class _Rerun(Transient):
    """A deadlock or a locked file: the transaction was rolled back and may simply run again."""

    code = "database_busy"


def _number(error: Exception) -> int | None:
    for candidate in (error, error.__cause__, error.__context__):
        arguments = getattr(candidate, "args", ())
        if arguments and isinstance(arguments[0], int):
            return arguments[0]
    return None


def as_time(value: Any) -> datetime | None:
    """A column's moment as an aware UTC datetime; MySQL gives datetimes, SQLite text."""
    if value is None:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    assert isinstance(value, datetime)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def as_column(moment: datetime) -> str:
    """A moment as both dialects accept and compare it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def is_duplicate(error: peewee.IntegrityError) -> bool:
    """Whether an INSERT failed because the row, or its unique key, is there already."""
    return _number(error) == 1062 or "UNIQUE" in str(error)


def beyond(place: Place | None, moment: str, key: str) -> tuple[str, tuple[Any, ...]]:
    """SQL that adds "after `place`" to the condition of a page by (`moment`, `key`), and its parameters; all for None."""
    if place is None:
        return "", ()
    # The first comparison serves SQLite, the last two MariaDB: each then begins at that very entry of the index.
    sql = f" AND {moment} >= %s AND ({moment} > %s OR ({moment} = %s AND {key} > %s))"
    return sql, (place[0], place[0], *place)
