"""Brings a database to the newest schema, under a lock so that two starters do not collide."""

import copy
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playhouse.migrations import Runner

from schema.sql.database import Database, DatabaseDown

DIRECTORY = Path(__file__).parent / "migrations"
_LOCK = "reportq_migrations"
_LOCK_SECONDS = 60
_STEP_SECONDS = 3600  # a step that rebuilds a big table takes as long as it takes


def migrate(database: Database) -> list[str]:
    """Apply all pending steps in order and return their names; waits up to 60 s for another starter's migration.

    It has a connection of its own: the usual one gives up long before a big table is changed.
    """
    own = _patient(database)
    try:
        with _alone(own), own.translated():
            return list(Runner(own.peewee, str(DIRECTORY), table_name="schema_migration").up())
    finally:
        if own is not database:
            own.close()


def pending(database: Database) -> list[str]:
    """Names of the steps this code knows and the database has not seen."""
    with database.translated():
        runner = Runner(database.peewee, str(DIRECTORY), table_name="schema_migration")
        return [step.name for step in runner.status() if step.path is not None and not step.applied]


def _patient(database: Database) -> Database:
    """The same database by a connection that waits for slow answers; SQLite's has no such limit."""
    if database.dialect != "mysql":
        return database
    own = copy.copy(database)
    usual = database.peewee
    waits = {"read_timeout": _STEP_SECONDS, "write_timeout": _STEP_SECONDS}
    own.peewee = type(usual)(usual.database, **{**usual.connect_params, **waits})
    return own


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    if database.dialect == "mysql":
        if database.scalar("SELECT GET_LOCK(%s, %s)", (_LOCK, _LOCK_SECONDS)) != 1:
            raise DatabaseDown(f"Another process has been migrating this database for {_LOCK_SECONDS} s.")
        try:
            yield
        finally:
            database.scalar("SELECT RELEASE_LOCK(%s)", (_LOCK,))
    else:
        try:
            lock = open(database.path + ".migrate.lock", "w")  # noqa: SIM115 - closed below
        except OSError as error:
            raise DatabaseDown(f"The folder of {database.path} cannot be written: {error.strerror}.") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
