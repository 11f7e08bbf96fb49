"""What a database that was away leads to: no caller is sent away needlessly, nobody is declared dead too soon."""

from __future__ import annotations

import json

import pytest

from ops.servers.mariadb import MariaDB
from schema import jobs
from schema.database import Database, DatabaseDown
from schema.jobs import NewJob
from schema.migrate import migrate


@pytest.fixture
def on_mariadb(mariadb: MariaDB) -> Database:
    database = Database(mariadb.url)
    migrate(database)
    return database


@pytest.mark.parametrize("inline", [None, b'{"name": "x"}'])
def test_a_submission_survives_that_its_connection_was_dropped(
    mariadb: MariaDB, on_mariadb: Database, inline: bytes | None
) -> None:
    """A restarted server has dropped every connection; it is up all the same."""
    mariadb.query(f"KILL {on_mariadb.scalar('SELECT CONNECTION_ID()')}")
    job = NewJob(f"pdf_{inline!r:.10}", "K1", "p", inline=inline)

    jobs.submit(on_mariadb, job)

    assert jobs.find(on_mariadb, job.job_id) is not None
    if inline:
        assert json.loads(jobs.inline_report(on_mariadb, job.job_id) or "") == {"name": "x"}


def test_a_read_only_database_is_a_database_that_is_away(mariadb: MariaDB, on_mariadb: Database) -> None:
    """As during a change of roles: hints are kept, callers get 503 and come again."""
    mariadb.query("SET GLOBAL read_only=1")
    try:
        with pytest.raises(DatabaseDown):
            jobs.submit(on_mariadb, NewJob("pdf_readonly", "K1", "p"))
    finally:
        mariadb.query("SET GLOBAL read_only=0")
    jobs.submit(on_mariadb, NewJob("pdf_readonly", "K1", "p"))
