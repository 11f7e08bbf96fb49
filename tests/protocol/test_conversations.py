"""How often a transaction asks MariaDB, and that statements which leave with the next one work as well."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import peewee
import pymysql
import pytest

from ops.servers.mariadb import MariaDB
from schema.life import rounds
from schema.rows import jobs
from schema.rows.jobs import NewJob
from schema.sql.database import Database
from schema.sql.migrate import migrate

ACT = "INSERT INTO audit (at, who, act, subject) VALUES (UTC_TIMESTAMP(6),'me',%s,%s)"


@pytest.fixture
def db(mariadb: MariaDB) -> Iterator[Database]:
    database = Database(mariadb.url)
    migrate(database)
    database.execute("DELETE FROM audit WHERE who='me'")
    yield database
    database.close()


@pytest.fixture
def asked(db: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every request that leaves for the server from now on."""
    requests: list[str] = []
    query = pymysql.connections.Connection.query

    def noted(connection: Any, sql: Any, unbuffered: bool = False) -> Any:
        requests.append(sql if isinstance(sql, str) else sql.decode())
        return query(connection, sql, unbuffered)

    db.ping()
    monkeypatch.setattr(pymysql.connections.Connection, "query", noted)
    return requests


def acts(db: Database) -> list[str]:
    return [row["act"] for row in db.fetch_all("SELECT act FROM audit WHERE who='me' ORDER BY id")]


def test_an_end_takes_two_requests(db: Database, asked: list[str]) -> None:
    """The guarded UPDATE, whose outcome decides, and all that follows from it together with COMMIT."""
    jobs.submit(db, NewJob("pdf_two_requests", "K1", "p"))
    held = jobs.claim(db, "pdf_two_requests", worker_id="w", lease=20, timeout=60)
    assert isinstance(held, jobs.Claim)
    asked.clear()
    assert rounds.finish(db, held.row, "completed", outcome="completed", link="x")
    assert [request[:12] for request in asked] == ["BEGIN;UPDATE", "INSERT INTO "]
    assert asked[1].endswith(";COMMIT")
    assert db.scalar("SELECT COUNT(*) FROM attempts WHERE job_id='pdf_two_requests'") == 1
    assert db.scalar("SELECT COUNT(*) FROM deliveries WHERE job_id='pdf_two_requests'") == 1


def test_the_answer_is_the_last_statement_s(db: Database) -> None:
    def work() -> tuple[int, Any, Any]:
        db.defer(ACT, ("a", "1"))
        db.defer(ACT, ("b", "100 %"))
        changed = db.execute("UPDATE audit SET why='x' WHERE who='me'")
        db.defer(ACT, ("c", "3"))
        return changed, db.scalar("SELECT COUNT(*) FROM audit WHERE who='me'"), db.fetch_one("SELECT 7 AS seven")

    assert db.transaction(work) == (2, 3, {"seven": 7})
    assert acts(db) == ["a", "b", "c"]


def test_what_fails_on_the_way_undoes_everything_and_is_not_committed(db: Database) -> None:
    twice = "INSERT INTO switches (name, value, changed_at) VALUES ('twice','1',UTC_TIMESTAMP(6))"

    def work() -> None:
        db.execute(ACT, ("before", "1"))
        db.defer(twice)
        db.defer(twice)
        db.defer(ACT, ("behind", "1"))

    with pytest.raises(peewee.IntegrityError):
        db.transaction(work)
    assert acts(db) == []
    assert db.scalar("SELECT COUNT(*) FROM switches WHERE name='twice'") == 0
    db.transaction(lambda: db.defer(ACT, ("next", "1")))
    assert acts(db) == ["next"]


def test_a_transaction_that_failed_before_it_asked_leaves_nothing_for_the_next(db: Database, asked: list[str]) -> None:
    def work() -> None:
        db.defer(ACT, ("never", "1"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        db.transaction(work)
    db.transaction(lambda: None)
    assert asked == []
    db.execute(ACT, ("alone", "1"))
    assert len(asked) == 1
    assert acts(db) == ["alone"]


def test_a_deadlock_on_the_way_runs_the_transaction_again(mariadb: MariaDB, db: Database) -> None:
    for act in ("one", "two"):
        db.execute(ACT, (act, "0"))
    touch = "UPDATE audit SET subject=CONCAT(subject,%s) WHERE who='me' AND act=%s"
    other = Database(mariadb.url)
    both = threading.Barrier(2)
    runs = []

    def cross(database: Database, first: str, second: str) -> None:
        def work() -> None:
            database.execute(touch, (first[0], first))
            if not runs.count(first):
                both.wait(10)  # each holds one row and wants the other's
            runs.append(first)
            database.defer(touch, (first[0], second))

        database.transaction(work)

    beside = threading.Thread(target=cross, args=(other, "two", "one"))
    beside.start()
    cross(db, "one", "two")
    beside.join(20)
    assert len(runs) == 3
    assert [sorted(row["subject"]) for row in db.fetch_all("SELECT subject FROM audit WHERE who='me'")] == [
        ["0", "o", "t"],
        ["0", "o", "t"],
    ]
    other.close()


@pytest.mark.parametrize("where", ["INSERT", "COMMIT"])
def test_a_limit_that_strikes_in_a_transaction_stays_that_limit(
    db: Database, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """It is no lost database, and the connection, whose answer nobody has read, is not used again."""

    class Struck(BaseException):
        pass

    ask = db.peewee.execute_sql

    def strike(sql: str, params: Any = None) -> Any:
        if sql.startswith(where):
            db.peewee.connection()._execute_command(3, "SELECT 1")  # sent; its answer is not read
            raise Struck
        return ask(sql, params)

    monkeypatch.setattr(db.peewee, "execute_sql", strike)
    with pytest.raises(Struck):
        db.transaction(lambda: (db.scalar("SELECT 3"), db.execute(ACT, ("struck", "1"))))
    monkeypatch.setattr(db.peewee, "execute_sql", ask)
    assert db.scalar("SELECT 2") == 2
    assert acts(db) == []


@pytest.mark.parametrize(
    "value", ["x'; DROP TABLE audit; -- ", "\\'; DELETE FROM audit; -- ", 'a";COMMIT;', "%s; %(x)s %%"]
)
def test_a_value_is_never_a_statement(db: Database, value: str) -> None:
    """The connection takes several statements in one request; values are escaped before they are put into one."""
    db.execute(ACT, ("kept", "1"))
    db.transaction(lambda: (db.defer(ACT, ("deferred", value)), db.execute(ACT, ("asked", value))))
    jobs.submit(db, NewJob(f"pdf_{abs(hash(value))}", value, value))
    assert acts(db) == ["kept", "deferred", "asked"]
    assert [row["subject"] for row in db.fetch_all("SELECT subject FROM audit WHERE act IN ('deferred','asked')")] == [
        value,
        value,
    ]
