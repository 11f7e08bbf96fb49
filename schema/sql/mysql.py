"""MySQL and MariaDB for peewee, with the isolation and the limits that the guarded transitions need.

It also saves round trips. BEGIN leaves with the first statement of its transaction. A deferred statement leaves with the
next one or with COMMIT, in one request. The server stops at the first that fails: then nothing behind it is done, and
COMMIT neither.
"""

import select
import threading
from collections.abc import Sequence
from typing import Any, Self

import peewee
from pymysql.constants import CLIENT

from schema.environment.server_urls import Server

IDLE_SECONDS = 30  # that a transaction may pause between statements; ours never pause


class MySQL(peewee.MySQLDatabase):
    """Peewee's database, with deferred statements. Migrations know it by its name."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._ahead = _Ahead()

    @classmethod
    def open(cls, server: Server, *, connect_timeout: float, io_timeout: float) -> Self:
        """The database of a URL; nothing connects before the first statement. Timeouts are seconds."""
        return cls(
            server.name or "reportq",
            host=server.host or "127.0.0.1",
            port=server.port or 3306,
            user=server.user or "root",
            password=server.password.encode(),  # as text PyMySQL takes Latin-1 only, and its error quotes the rest
            ssl=server.tls.context() if server.tls else None,
            ssl_disabled=server.tls is False,
            connect_timeout=max(1, round(connect_timeout)),
            read_timeout=io_timeout,
            write_timeout=io_timeout,
            # FOUND_ROWS: a guarded UPDATE that changes nothing still matched. No value becomes a statement: all are escaped.
            client_flag=CLIENT.FOUND_ROWS | CLIENT.MULTI_STATEMENTS,
            init_command="SET SESSION time_zone='+00:00', innodb_lock_wait_timeout=5, default_storage_engine=InnoDB, "
            "sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
        )

    def _connect(self) -> Any:
        connection = super()._connect()  # type: ignore[misc]
        with connection.cursor() as cursor:  # the variable of this setting has one name in MySQL, another in MariaDB
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            # A host that loses its power in a transaction must not hold rows for hours. MySQL has no such limit, so it
            # drops every connection that idles.
            limit = "idle_transaction_timeout" if "MariaDB" in connection.get_server_info() else "wait_timeout"
            cursor.execute(f"SET SESSION {limit}={IDLE_SECONDS}")
        return connection

    def defer(self, sql: str, params: Sequence[Any] = ()) -> None:
        """Send this statement of a transaction with the next one, or with COMMIT."""
        self._ahead.statements.append((sql, params))

    def execute_sql(self, sql: str, params: Sequence[Any] | None = None) -> Any:
        """One statement, after the deferred ones; the cursor is at its result."""
        ahead, self._ahead.statements = self._ahead.statements, []
        if not ahead:
            return super().execute_sql(sql, params)  # type: ignore[no-untyped-call]
        together = [*ahead, (sql, params or ())]
        text = ";".join(statement for statement, _ in together)
        values = tuple(value for _, values in together for value in values)
        cursor = super().execute_sql(text, values)  # type: ignore[no-untyped-call]
        with peewee.__exception_wrapper__:  # type: ignore[attr-defined]
            for _ in ahead:
                cursor.nextset()
        return cursor

    def begin(self, isolation_level: str | None = None) -> None:
        """Let BEGIN leave with the first statement. It connects now: peewee forgets a transaction when it connects."""
        if self.is_closed():
            self.connect()
        self._ahead.statements = [_BEGIN]

    def commit(self) -> None:
        if self._ahead.statements != [_BEGIN]:
            self.execute_sql("COMMIT")
        self._ahead.statements = []

    def rollback(self) -> None:
        """Roll back. Without BEGIN there is nothing to do; after a lost connection the server rolls back by itself."""
        unsent = self._ahead.statements[:1] == [_BEGIN]
        self._ahead.statements = []
        if not unsent and self.connection().open:  # type: ignore[no-untyped-call]
            super().rollback()


_BEGIN: tuple[str, Sequence[Any]] = ("BEGIN", ())


class _Ahead(threading.local):
    """The deferred statements of this thread's connection."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, Sequence[Any]]] = []


def hung_up(connection: Any) -> bool:
    """Whether the server has closed an idle connection. Bytes that nobody asked for mean that it has."""
    if connection._sock is None:
        return True
    poll = select.poll()
    poll.register(connection._sock, select.POLLIN)
    return bool(poll.poll(0))


def force_close(connection: Any) -> None:
    """Close a connection without a word to the server; it may be closed already."""
    if connection is not None:
        try:
            (getattr(connection, "_force_close", None) or connection.close)()
        except Exception:
            pass
