"""SQLite for peewee: a file that only its owner reads, one writer at a time, and what each error means.

SQLite's own codes decide. The disk, the file and the locks are no report's fault; every other error is our fault.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import peewee

from schema.sql.away import AT_ONCE, BUSY, LOCKED, PATIENCE, DatabaseBusy, Rerun

BUSY_SECONDS = 5  # A statement waits so long for a lock of another program.
CLOSED, CLOSED_FOLDER = 0o600, 0o700  # The rights of PDFs, because rows hold people's results.
_SLICE = 0.1  # After so many seconds a waiting writer looks whether the line moves.
_BESIDE = ("", "-wal", "-shm", "-journal")

_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_FILE = "Check REPORTQ_DATABASE_URL, the disk and the rights on the file."
_AWAY = {
    sqlite3.SQLITE_FULL: "The database's disk is full.",
    sqlite3.SQLITE_IOERR: "The database's disk cannot be read or written.",
    sqlite3.SQLITE_READONLY: f"The database file cannot be written. {_FILE}",
    sqlite3.SQLITE_CANTOPEN: f"The database file cannot be opened. {_FILE}",
    sqlite3.SQLITE_PERM: f"The database file cannot be opened. {_FILE}",
    sqlite3.SQLITE_AUTH: f"The database file cannot be opened. {_FILE}",
    sqlite3.SQLITE_CORRUPT: "The database file is damaged. Stop reportq and restore a backup: ops/reportq backup.",
    sqlite3.SQLITE_NOTADB: "The database file is no database of SQLite's. Check REPORTQ_DATABASE_URL.",
    sqlite3.SQLITE_NOMEM: "The database has no memory left.",
    sqlite3.SQLITE_INTERRUPT: "The database's statement was interrupted.",
    sqlite3.SQLITE_PROTOCOL: "The database file's locks do not work. Keep it on a local disk.",
    sqlite3.SQLITE_NOLFS: "The disk cannot hold a file as large as the database.",
    sqlite3.SQLITE_ABORT: "The database gave the statement up.",
    sqlite3.SQLITE_INTERNAL: "The database cannot do its work.",
}


class SQLite(peewee.SqliteDatabase):
    """Peewee's database, in a file that only its owner reads. Migrations know it by its name."""

    @classmethod
    def open(cls, path: str) -> Self:
        """The database of a file, which is opened with the first statement; its folder is made now."""
        with contextlib.suppress(OSError):  # the first statement says what is wrong
            Path(path).absolute().parent.mkdir(CLOSED_FOLDER, parents=True, exist_ok=True)
        return cls(
            path,
            timeout=BUSY_SECONDS,
            check_same_thread=False,
            pragmas={
                "journal_mode": "wal",
                "synchronous": "full",
                "foreign_keys": 1,
                "busy_timeout": BUSY_SECONDS * 1000,
            },
        )

    def _connect(self) -> Any:
        close_to_others(self.database)
        return super()._connect()  # type: ignore[misc]

    def rollback(self) -> None:
        """Roll back, unless SQLite has done so or the connection is closed: another error would hide the first."""
        with contextlib.suppress(sqlite3.ProgrammingError):  # closed
            if self.connection().in_transaction:  # type: ignore[no-untyped-call]
                super().rollback()


class Writers:
    """SQLite takes one writer at a time: the threads of a process stand in line here.

    While another program has locked the file, one thread goes on asking and all others are refused at once. Without
    that they would hold every thread of the process.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._locked_out = False

    @contextlib.contextmanager
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


def close_to_others(path: str) -> None:
    """Make the file with mode 0600 before SQLite makes it with another, and correct files of an earlier release.

    The files that SQLite puts beside it take its mode. A folder of the service's own, by a relative path, is closed too.
    """
    file = Path(path)
    # An existing file is never opened here: closing it would drop the locks of all this process's connections.
    with contextlib.suppress(OSError):  # The file exists, or SQLite says better what is wrong.
        file.touch(CLOSED, exist_ok=False)
    for suffix in _BESIDE:
        _chmod(Path(path + suffix), CLOSED)
    if not file.is_absolute() and len(file.parts) > 1 and ".." not in file.parts:
        _chmod(file.parent, CLOSED_FOLDER)


def _chmod(path: Path, mode: int) -> None:
    with contextlib.suppress(OSError):  # not there, another user's, or on a disk without modes
        if path.stat().st_mode & 0o777 & ~mode:
            path.chmod(mode)


def asks_again(error: BaseException) -> bool:
    """Whether another writer was in the way."""
    return _code(error) in _LOCKED


def why_away(error: BaseException) -> str | None:
    """Why the file cannot be used just now, as a sentence; None when the error is ours."""
    if isinstance(error, sqlite3.ProgrammingError) and "closed database" in str(error):
        return "The transaction was given up."
    return _AWAY.get(_code(error))


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
