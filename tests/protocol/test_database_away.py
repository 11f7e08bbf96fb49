"""What a database that was away leads to: no caller is sent away needlessly, nobody is declared dead too soon."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from ops.servers.mariadb import MariaDB
from ops.servers.process import wait_until
from schema.life import queues, rounds
from schema.rows import jobs
from schema.rows.jobs import NewJob
from schema.sql.database import Database, DatabaseDown, patiently
from schema.sql.migrate import migrate
from schema.sql.mysql import IDLE_SECONDS


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


def test_a_write_is_not_lost_to_a_connection_that_the_server_dropped(mariadb: MariaDB, on_mariadb: Database) -> None:
    """By itself and in a transaction: both are asked on a new connection, once, and nobody is told of an outage."""
    note = "INSERT INTO audit (who, act, subject, at) VALUES ('night','idle',%s,UTC_TIMESTAMP(6))"
    for work in (lambda: on_mariadb.execute(note, ("a",)), lambda: queues.pause(on_mariadb, "pdf", by="n", why="idle")):
        number = on_mariadb.scalar("SELECT CONNECTION_ID()")
        mariadb.query(f"KILL {number}")
        gone = f"SELECT 1 FROM information_schema.processlist WHERE id={number}"
        wait_until(lambda: not mariadb.query(gone), 10, "the connection is dropped")  # noqa: B023
        work()
    assert on_mariadb.scalar("SELECT COUNT(*) FROM audit WHERE act='idle'") == 1
    assert on_mariadb.scalar("SELECT set_by FROM pauses WHERE scope='queue:pdf'") == "n"


def test_a_read_only_database_is_a_database_that_is_away(mariadb: MariaDB, on_mariadb: Database) -> None:
    """As during a change of roles: hints are kept, callers get 503 and come again."""
    mariadb.query("SET GLOBAL read_only=1")
    try:
        with pytest.raises(DatabaseDown):
            jobs.submit(on_mariadb, NewJob("pdf_readonly", "K1", "p"))
    finally:
        mariadb.query("SET GLOBAL read_only=0")
    jobs.submit(on_mariadb, NewJob("pdf_readonly", "K1", "p"))


def test_a_transaction_that_falls_silent_does_not_keep_its_rows(mariadb: MariaDB, on_mariadb: Database) -> None:
    """As of a host that lost its power; the server would keep the locks for as long as the connection seems to live."""
    # MySQL has no such limit for a transaction alone.
    limit = "idle_transaction_timeout" if "MariaDB" in on_mariadb.scalar("SELECT VERSION()") else "wait_timeout"
    assert on_mariadb.scalar(f"SELECT @@{limit}") == IDLE_SECONDS
    jobs.submit(on_mariadb, NewJob("pdf_silent", "K1", "p"))
    other = Database(mariadb.url)
    touch = "UPDATE pdf_job_results SET progress=%s WHERE job_id='pdf_silent'"

    def work() -> None:
        on_mariadb.execute(f"SET SESSION {limit}=1")
        on_mariadb.execute(touch, (1,))
        assert other.execute(touch, (2,)) == 1  # waits for the row until the server has dropped us
        on_mariadb.execute(touch, (3,))

    with pytest.raises(DatabaseDown):
        on_mariadb.transaction(work)
    assert on_mariadb.scalar("SELECT progress FROM pdf_job_results WHERE job_id='pdf_silent'") == 2
    other.close()


class Cut(Database):
    """Its connection is lost just before request `at` of the next transaction; COMMIT is one, with what waits for it."""

    def __init__(self, server: MariaDB) -> None:
        super().__init__(server.url)
        self.at = 0
        ask = self.peewee.execute_sql

        def cut_or_ask(sql: str, params: Sequence[Any] | None = None) -> Any:
            if self.at and (self.in_transaction() or sql == "COMMIT"):
                self.at -= 1
                if not self.at:
                    server.query(f"KILL {self.peewee._state.conn.thread_id()}")
            return ask(sql, params)

        self.peewee.execute_sql = cut_or_ask


@pytest.fixture
def cut(mariadb: MariaDB, on_mariadb: Database) -> Cut:
    return Cut(mariadb)


def test_a_connection_lost_inside_a_transaction_leaves_nothing_behind(cut: Cut) -> None:
    """Not even when the work tries to go on: what it asks then would be committed by itself."""

    def work() -> None:
        cut.execute(f"INSERT INTO audit (who, act, subject, at) VALUES ('cut','first','x',{cut.now()})")
        try:
            cut.execute(f"INSERT INTO audit (who, act, subject, at) VALUES ('cut','second','x',{cut.now()})")
        except DatabaseDown:
            cut.execute(f"INSERT INTO audit (who, act, subject, at) VALUES ('cut','third','x',{cut.now()})")

    cut.at = 2
    with pytest.raises(DatabaseDown):
        cut.transaction(work)
    assert cut.fetch_all("SELECT act FROM audit WHERE who='cut'") == []
    cut.transaction(work)
    assert [row["act"] for row in cut.fetch_all("SELECT act FROM audit WHERE who='cut'")] == ["first", "second"]
    cut.execute("DELETE FROM audit WHERE who='cut'")


def test_an_inline_submission_survives_a_loss_between_its_two_inserts(cut: Cut) -> None:
    job = NewJob("pdf_between", "K1", "p", inline=b'{"name": "x"}')
    cut.at = 2
    jobs.submit(cut, job)
    assert json.loads(jobs.inline_report(cut, job.job_id) or "") == {"name": "x"}


def test_a_batch_is_written_whole_or_not_at_all(cut: Cut) -> None:
    together = [NewJob(f"pdf_batch_{n}", "K1", "p", inline=b"{}") for n in range(3)]
    cut.at = 4
    with pytest.raises(DatabaseDown):
        cut.transaction(lambda: [jobs.submit(cut, job) for job in together])
    assert cut.scalar("SELECT COUNT(*) FROM pdf_job_results WHERE job_id LIKE 'pdf_batch_%%'") == 0


def test_an_end_is_written_again_after_a_loss_in_its_middle(cut: Cut) -> None:
    """The worker asks once more and finds its round still its own: one end, one delivery."""
    jobs.submit(cut, NewJob("pdf_end", "K1", "p"))
    held = jobs.claim(cut, "pdf_end", worker_id="w", lease=20, timeout=60)
    assert isinstance(held, jobs.Claim)
    cut.at = 2
    assert patiently(lambda: rounds.finish(cut, held.row, "completed", outcome="completed", link="x"), 20)
    for table in ("attempts", "deliveries"):
        assert cut.scalar(f"SELECT COUNT(*) FROM {table} WHERE job_id='pdf_end'") == 1
