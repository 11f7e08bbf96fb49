"""One SQL database, SQLite or MySQL/MariaDB, behind the few calls that the rows' modules need.

Peewee keeps the connections (one per thread) and hides the drivers' differences. Statements are SQL with `%s`
parameters: a guarded transition must be readable word by word.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

import peewee

from schema.environment import server_urls
from schema.sql import away, mysql_errors, sqlite
from schema.sql.away import AT_ONCE, DatabaseBusy, DatabaseDown, DatabaseUnable, Rerun, patiently
from schema.sql.dialect import Dialect, Place, beyond, marks
from schema.sql.mysql import MySQL, force_close, hung_up
from schema.sql.times import Moment, as_time

__all__ = (
    "AT_ONCE", "Database", "DatabaseBusy", "DatabaseDown", "DatabaseUnable", "Place", "Row", "beyond", "marks",
    "once_more", "patiently", "put", "transactional",
)  # fmt: skip

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")
Row = dict[str, Any]

_RERUNS = 8


class Database(Dialect):
    """Statements, transactions, and the clock of one database. Safe for threads: each has its own connection."""

    def __init__(self, url: str, *, connect_timeout: float = 3.0, io_timeout: float = 10.0) -> None:
        super().__init__(url.partition(":")[0])
        self._ready_at = threading.local()
        if self.dialect == "sqlite":
            self.path = server_urls.sqlite_path(url)
            self.peewee: Any = sqlite.SQLite.open(self.path)
            self._writers = sqlite.Writers()
        else:
            self.peewee = MySQL.open(server_urls.mysql(url), connect_timeout=connect_timeout, io_timeout=io_timeout)

    # -- statements ---------------------------------------------------------------------------------------------

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run one statement and return the number of rows it matched; commits by itself outside a transaction."""
        return int(self._run(sql, params).rowcount)

    def matched(self, sql: str, params: Sequence[Any] = ()) -> bool:
        """Run one statement, as `execute` does; whether it matched any row."""
        return self.execute(sql, params) > 0

    def insert(self, sql: str, params: Sequence[Any] = ()) -> bool:
        """Insert a row; False when it, or its unique key, is there already."""
        try:
            return self.matched(sql, params)
        except peewee.IntegrityError as error:
            if mysql_errors.number_of(_drivers(error)) != 1062 and "UNIQUE" not in str(error):
                raise
            return False

    @overload
    def fetch_all(self, sql: str, params: Sequence[Any] = ()) -> list[Row]: ...
    @overload
    def fetch_all(self, sql: str, params: Sequence[Any] = (), *, of: type[R]) -> list[R]: ...
    def fetch_all(self, sql: str, params: Sequence[Any] = (), *, of: Any = None) -> list[Any]:
        """All rows of a query as dicts. `of` tells the type checker which columns they have; nothing is done with it."""
        cursor = self._run(sql, params)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @overload
    def fetch_one(self, sql: str, params: Sequence[Any] = ()) -> Row | None: ...
    @overload
    def fetch_one(self, sql: str, params: Sequence[Any] = (), *, of: type[R]) -> R | None: ...
    def fetch_one(self, sql: str, params: Sequence[Any] = (), *, of: Any = None) -> Any:
        """The first row of a query, or None; `of` as in `fetch_all`."""
        rows = self.fetch_all(sql, params)
        return rows[0] if rows else None

    def scalar(self, sql: str, params: Sequence[Any] = ()) -> Any:
        """The first column of the first row, or None."""
        row = self._run(sql, params).fetchone()
        return row[0] if row else None

    def count(self, sql: str, params: Sequence[Any] = ()) -> int:
        """The number that a query counts or sums up."""
        return int(self.scalar(sql, params))

    def column(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        """The first column of all rows."""
        return [row[0] for row in self._run(sql, params).fetchall()]

    def tally(self, sql: str, params: Sequence[Any] = ()) -> dict[Any, int]:
        """The first column → the second one, a number."""
        return {row[0]: int(row[1]) for row in self._run(sql, params).fetchall()}

    def defer(self, sql: str, params: Sequence[Any] = ()) -> None:
        """Execute in this transaction without waiting: MySQL gets the statement with the next one, or with COMMIT.

        Its outcome stays unknown; it is done when the transaction is.
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
                    with self._writers.turn():
                        return self._ask(sql, params)
                return self._ask(sql, params)
            except Rerun:
                self._wait(rerun, began)
            except DatabaseDown:
                # A restarted server has dropped every connection: a read may simply be asked again, once.
                if not reads or rerun or time.monotonic() - began > AT_ONCE:
                    raise
        raise AssertionError("unreachable")

    def _wait(self, rerun: int, began: float) -> None:
        """Wait before the next try; raises DatabaseBusy after too many tries or too long a time."""
        waited = time.monotonic() - began
        if rerun == _RERUNS - 1 or waited > (AT_ONCE if self.dialect == "sqlite" else away.PATIENCE):
            raise DatabaseBusy(away.LOCKED if self.dialect == "sqlite" else away.BUSY)
        time.sleep(0.005 * 2**rerun)

    def _ask(self, sql: str, params: Sequence[Any]) -> Any:
        try:
            self._checkout()
            return self.peewee.execute_sql(sql, tuple(params) or None)
        except peewee.PeeweeException as error:
            self._judge(error)
            raise
        except Exception:
            raise
        except BaseException:
            # A time limit struck in the middle of it: the next statement would read this one's answer.
            if self.dialect == "mysql":
                force_close(self.peewee._state.conn)
            raise

    def _checkout(self) -> None:
        """Drop a connection that the server has closed while it idled; the next statement opens another."""
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

    def _judge(self, error: peewee.PeeweeException) -> None:
        """Raise what the error means when it is not ours: Rerun or DatabaseDown."""
        cause = _drivers(error)
        judge = mysql_errors if self.dialect == "mysql" else sqlite
        if judge.asks_again(cause):
            raise Rerun(str(cause)) from error
        why = judge.why_away(cause)
        if why is None:
            return
        if self.in_transaction():
            # Peewee's state stays until the transaction has ended: its further statements must fail, not begin anew.
            force_close(self.peewee._state.conn)
        else:
            self._drop()
        raise (DatabaseDown if why.startswith(mysql_errors.SILENT) else DatabaseUnable)(why) from error

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
        began = time.monotonic()
        for rerun in range(_RERUNS):
            try:
                with self._begun():
                    return work()
            except Rerun:
                self._wait(rerun, began)
        raise AssertionError("unreachable")

    @contextmanager
    def _begun(self) -> Iterator[None]:
        if self.dialect == "sqlite":
            with self._writers.turn(), self.translated(), self.peewee.atomic("IMMEDIATE"):
                yield
        else:
            self._checkout()
            with self.translated(), self.peewee.atomic():
                yield

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn peewee's errors into ours, where the fault is the database's."""
        try:
            yield
        except peewee.PeeweeException as error:
            self._judge(error)
            raise
        except DatabaseDown:
            self._drop()
            raise
        except Exception:
            raise
        except BaseException:
            if self.dialect == "mysql":
                self._drop()  # a time limit may have struck in the middle of COMMIT
            raise

    def clock(self) -> datetime:
        """What the database's clock says, UTC."""
        moment: Moment = self.scalar(f"SELECT {self.now()}")
        return as_time(moment)

    # -- life ---------------------------------------------------------------------------------------------------

    def ping(self) -> None:
        """Raise DatabaseDown unless the database answers."""
        self.scalar("SELECT 1")

    def close(self) -> None:
        """Close this thread's connection."""
        if not self.peewee.is_closed():
            self.peewee.close()


def transactional(work: Callable[Concatenate[Database, P], T]) -> Callable[Concatenate[Database, P], T]:
    """Run each call of a function in one transaction of its first argument, as `Database.transaction` does."""

    @wraps(work)
    def whole(db: Database, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return db.transaction(lambda: work(db, *args, **kwargs))

    return whole


def once_more(work: Callable[P, T]) -> Callable[P, T]:
    """Call a function again when it meets a row that another process has just inserted, too: it was the first of its key."""

    @wraps(work)
    def again(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except peewee.IntegrityError:
            return work(*args, **kwargs)

    return again


def _drivers(error: Exception) -> Exception:
    """The driver's own error. Peewee wraps it, and twice when connecting failed."""
    while (inner := getattr(error, "orig", None)) is not None:
        error = inner
    return error


def put(db: Database, update: str, changed: Sequence[Any], insert: str, first: Sequence[Any]) -> None:
    """Update a row by `update` and its parameters, or insert it. Another process may insert it between the two."""
    for _ in range(2):
        if db.matched(update, changed) or db.insert(insert, first):
            return
