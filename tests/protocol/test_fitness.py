"""A server that would break promises in silence is refused at start, or reported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.process.runtime import build
from ops.commands.findings import _fitness
from ops.servers.mariadb import MariaDB
from schema.settings import Settings
from schema.sql import fitness
from schema.sql.database import Database
from schema.sql.fitness import Unfit
from schema.sql.migrate import migrate


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """As many a shared server is: another engine by default, small packets."""
    options = {"default-storage-engine": "MyISAM", "max-allowed-packet": "4M"}
    with MariaDB(tmp_path_factory.mktemp("careless"), options) as server:
        yield server


def engines(server: MariaDB) -> set[object]:
    rows = server.query("SELECT engine FROM information_schema.tables WHERE table_schema='reportq'")
    return {engine for (engine,) in rows}


@pytest.mark.own_server
def test_every_table_has_transactions_whatever_the_servers_default(careless: MariaDB, tmp_path: Path) -> None:
    runtime = build(Settings(database_url=careless.url, run_dir=str(tmp_path)))
    runtime.verify()
    assert engines(careless) == {"InnoDB"}
    findings = {finding.name: finding for finding in _fitness(runtime.db)}
    assert {name: one.state for name, one in findings.items()} == {"packets": "bad", "engine": "warning"}
    assert "4 MB" in findings["packets"].said
    runtime.close()


def test_every_table_that_the_history_makes_is_looked_at(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    migrate(database)
    made = {row["name"] for row in database.fetch_all("SELECT name FROM sqlite_master WHERE type='table'")}
    assert fitness.ours() == {name for name in made if name != "schema_migration" and not name.startswith("sqlite_")}
    database.close()


@pytest.mark.own_server
def test_a_table_without_transactions_is_refused_at_start(careless: MariaDB, tmp_path: Path) -> None:
    database = Database(careless.url)
    migrate(database)
    careless.query("CREATE TABLE of_others (x INT) ENGINE=MyISAM")  # of whom we say nothing
    careless.query("ALTER TABLE switches ENGINE=MyISAM")
    runtime = build(Settings(database_url=careless.url, run_dir=str(tmp_path)))
    try:
        with pytest.raises(Unfit, match="ALTER TABLE switches ENGINE=InnoDB;"):
            runtime.verify_patiently()
        assert [finding.state for finding in _fitness(database) if finding.name == "tables"] == ["bad"]
    finally:
        careless.query("ALTER TABLE switches ENGINE=InnoDB")
        careless.query("DROP TABLE of_others")
    runtime.verify()
    runtime.close()
    database.close()


def test_sqlite_is_asked_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'r.db'}")
    assert fitness.without_transactions(database) == []
    assert fitness.small_packets(database) is None
    database.close()
