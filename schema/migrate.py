"""Brings a database to the newest schema, under a lock so that two starters do not collide."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playhouse.migrations import Runner

from schema.database import Database, DatabaseDown

DIRECTORY = Path(__file__).parent / "migrations"
_LOCK = "reportq_migrations"
_LOCK_SECONDS = 60


def migrate(database: Database) -> list[str]:
    """Apply all pending steps in order and return their names; waits up to 60 s for another starter's migration."""
    with _alone(database):
        return list(Runner(database.peewee, str(DIRECTORY), table_name="schema_migration").up())


def pending(database: Database) -> list[str]:
    """Names of the steps this code knows and the database has not seen."""
    runner = Runner(database.peewee, str(DIRECTORY), table_name="schema_migration")
    return [step.name for step in runner.status() if step.path is not None and not step.applied]


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
        with open(database.path + ".migrate.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
