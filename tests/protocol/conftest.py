"""The protocol's tests run on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.servers.mariadb import MariaDB
from schema.sql.database import Database
from schema.sql.migrate import migrate
from tests.protocol.kit import World, make_world


@pytest.fixture(scope="session")
def sqlite_file(memory: Path) -> str:
    return f"sqlite:///{memory}/protocol.db"


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """One whose commits do not wait for the disk, as production's do: a killed server keeps them, and no power is cut."""
    settings = {"innodb-flush-log-at-trx-commit": "2"}
    with MariaDB(tmp_path_factory.mktemp("mariadb"), settings) as server:
        yield server


@pytest.fixture(params=["sqlite", "mariadb"])
def url_of(request: pytest.FixtureRequest) -> str:
    """The database's URL, for whoever wants a connection of its own."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_file"))
    server: MariaDB = request.getfixturevalue("mariadb")
    return server.url


@pytest.fixture
def db(url_of: str) -> Iterator[Database]:
    """A migrated database; its tables are emptied by make_world."""
    database = Database(url_of)
    migrate(database)
    yield database
    database.close()


@pytest.fixture
def world_of(db: Database, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """A world with settings of the test's own."""
    made: list[World] = []

    def make(**settings: Any) -> World:
        made.append(make_world(db, tmp_path, **settings))
        return made[-1]

    yield make
    for world in made:
        world.runtime.wake.close()


@pytest.fixture
def world(world_of: Callable[..., World]) -> World:
    """The usual world."""
    return world_of()
