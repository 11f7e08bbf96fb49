"""Whose fault a database's error is: a full disk, a killed query, a lock of others cost nobody's job a try (DESIGN §2.14)."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import peewee
import pytest

from middleware.hooks.retries import MOST_RETURNS
from ops.servers.mariadb import MariaDB
from schema.rows import jobs
from schema.rows.jobs import NewJob
from schema.sql.database import Database, DatabaseBusy, DatabaseDown
from schema.sql.migrate import migrate
from tests.protocol.kit import World, make_world

# Full, out of memory or connections, refused, read-only, stopped, shutting down, no quorum, crashed table, … and numbers
# that no list of ours holds.
AWAY = (
    1021, 1026, 1030, 1034, 1037, 1041, 1045, 1047, 1049, 1053, 1114, 1129, 1130, 1135, 1142, 1180, 1194, 1203, 1206, 1223,
    1226, 1290, 1317, 1712, 1836, 1927, 1969, 3024, 3100, 3101, 3118, 3159, 4151, 4999, 9001,
)  # fmt: skip
# Schema, statement, size, value.
OURS = {
    "SELECT missing FROM pdf_job_results": 1054,
    "SELECT 1 FROM no_such_table": 1146,
    "SELEC 1": 1064,
    "INSERT INTO audit (at) VALUES (UTC_TIMESTAMP(6))": 1364,
    "INSERT INTO audit (at,who,act,subject) VALUES (UTC_TIMESTAMP(6),REPEAT('x',200),'a','s')": 1406,
    "INSERT INTO audit (at,who,act,subject) VALUES ('never','w','a','s')": 1292,
    "UPDATE pdf_job_results SET priority=99999999999999": 1264,
    "INSERT INTO audit (at,who,act,subject) VALUES (UTC_TIMESTAMP(6),NULL,'a','s')": 1048,
    "INSERT INTO audit (at,who,act,subject) VALUES (UTC_TIMESTAMP(6),UNHEX('FF'),'a','s')": 1366,
    "SIGNAL SQLSTATE '08S01' SET MYSQL_ERRNO=1153": 1153,
    "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO=3819": 3819,
}


@pytest.fixture(scope="module")
def on_mariadb(mariadb: MariaDB) -> Iterator[Database]:
    database = Database(mariadb.url)
    migrate(database)
    database.execute("DELETE FROM pdf_job_results")
    jobs.submit(database, NewJob("pdf_there", "K1", "p"))
    yield database
    database.close()


@pytest.mark.parametrize("number", AWAY)
def test_an_error_that_is_the_servers_means_away(on_mariadb: Database, number: int) -> None:
    signal = f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO={number}, MESSAGE_TEXT='it cannot'"
    for ask in (lambda: on_mariadb.execute(signal), lambda: on_mariadb.transaction(lambda: on_mariadb.execute(signal))):
        with pytest.raises(DatabaseDown) as away:
            ask()
        assert away.value.detail.endswith(".")
        assert on_mariadb.scalar("SELECT 1") == 1


@pytest.mark.parametrize(("statement", "number"), OURS.items())
def test_an_error_of_the_statement_is_ours(on_mariadb: Database, statement: str, number: int) -> None:
    for ask in (
        lambda: on_mariadb.execute(statement),
        lambda: on_mariadb.transaction(lambda: on_mariadb.execute(statement)),
    ):
        with pytest.raises(peewee.PeeweeException) as ours:
            ask()
        assert ours.value.args[0] == number


def test_a_killed_query_a_full_table_and_missing_rights_are_no_jobs_fault(
    mariadb: MariaDB, on_mariadb: Database
) -> None:
    """As the server itself says them."""
    number = on_mariadb.scalar("SELECT CONNECTION_ID()")
    sleeping = f"SELECT 1 FROM information_schema.processlist WHERE id={number} AND info LIKE '%SLEEP%'"

    def kill() -> None:
        while not mariadb.query(sleeping.replace("%", "%%")):
            time.sleep(0.01)
        mariadb.query(f"KILL QUERY {number}")

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(DatabaseDown, match="stopped the statement"):
        on_mariadb.execute("UPDATE pdf_job_results SET progress=SLEEP(20)")
    killer.join()

    def fill() -> None:
        on_mariadb.execute("SET SESSION max_heap_table_size=16384")
        on_mariadb.execute("CREATE TEMPORARY TABLE small (x VARCHAR(1000)) ENGINE=MEMORY")
        for _ in range(200):
            on_mariadb.execute("INSERT INTO small VALUES (REPEAT('x',1000))")

    with pytest.raises(DatabaseDown, match="full"):
        fill()
    mariadb.query("REVOKE INSERT ON reportq.* FROM 'reportq'@'127.0.0.1'")
    try:
        on_mariadb.close()
        with pytest.raises(DatabaseDown, match="rights"):
            on_mariadb.execute(f"INSERT INTO switches (name, value, changed_at) VALUES ('x','y',{on_mariadb.now()})")
    finally:
        mariadb.query("GRANT ALL PRIVILEGES ON reportq.* TO 'reportq'@'127.0.0.1'")
        on_mariadb.close()


class Refuses:
    """Every write of one table's rows is refused by a trigger, as the server would say it."""

    def __init__(self, mariadb: MariaDB, table: str, event: str, number: int) -> None:
        self._server, self.name = mariadb, f"refuses_{table}"
        mariadb.query(
            f"CREATE TRIGGER {self.name} BEFORE {event} ON {table} FOR EACH ROW "
            f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO={number}, MESSAGE_TEXT='it cannot'"
        )

    def __enter__(self) -> Refuses:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.query(f"DROP TRIGGER {self.name}")


@pytest.fixture
def world(on_mariadb: Database, tmp_path: Path) -> Iterator[World]:
    """On MariaDB alone: no trigger of SQLite's says that a disk is full."""
    made = make_world(on_mariadb, tmp_path)
    yield made
    made.runtime.wake.close()


def once(world: World) -> None:
    for hint in world.relay():
        if "dead_letter_id" not in hint.options:
            world.hint(hint)


def test_a_job_that_meets_a_full_disk_loses_no_try_and_one_that_alone_always_does_ends(
    world: World, mariadb: MariaDB
) -> None:
    job_id = world.submit()
    with Refuses(mariadb, "rendered", "INSERT", 1114):
        once(world)
        row = world.job(job_id)
        assert (row["status"], row["tries"], row["retry_count"], row["returns"]) == ("queued", 0, 0, 1)
        for _ in range(MOST_RETURNS + 10):
            world.pass_time(1000)
            once(world)
    row = world.job(job_id)
    assert (row["status"], row["error_code"]) == ("failed", "database_unavailable")
    assert world.attempts(job_id) == ["returned"] * MOST_RETURNS + ["failed"] * 4


def test_a_callback_that_meets_a_full_disk_before_its_post_is_no_crash(world: World, mariadb: MariaDB) -> None:
    job_id = world.submit(callback="https://hooks.example/webhook/x")
    with Refuses(mariadb, "delivery_attempts", "INSERT", 1114):
        for _ in range(5):
            once(world)
            world.pass_time(10)
    assert world.mouth.posts == []
    row = world.delivery(job_id)
    assert (row["status"], row["crashes"], row["tries"]) == ("queued", 0, 0)
    world.run()
    assert world.delivery(job_id)["status"] == "delivered"


def test_one_row_that_the_database_refuses_keeps_no_other_from_being_rescued(world: World, mariadb: MariaDB) -> None:
    held = [world.submit() for _ in range(2)]
    for job_id in held:
        assert isinstance(jobs.claim(world.db, job_id, worker_id="gone", lease=20, timeout=300), jobs.Claim)
    world.pass_time(60)
    mariadb.query(
        "CREATE TRIGGER bad_row BEFORE UPDATE ON pdf_job_results FOR EACH ROW BEGIN "
        f"IF OLD.job_id='{held[0]}' THEN SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO=1034; END IF; END"
    )
    try:
        world.rescue()
    finally:
        mariadb.query("DROP TRIGGER bad_row")
    assert [world.attempts(job_id) for job_id in held] == [[], ["crashed"]]


# -- SQLite -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.db"


@pytest.fixture
def on_sqlite(file: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{file}")
    migrate(database)
    yield database
    database.close()


def limit(database: Database, pragma: str, value: int) -> None:
    """On every connection that is opened from now on."""
    database.close()
    database.peewee._pragmas = [*database.peewee._pragmas, (pragma, value)]


def unlimited(database: Database) -> None:
    database.close()
    database.peewee._pragmas.pop()


def big(name: str) -> NewJob:
    return NewJob(name, "K1", "p", inline=b'{"x":"' + b"x" * 2_000_000 + b'"}')


def test_a_full_disk_is_told_as_one_and_leaves_nothing_behind(on_sqlite: Database) -> None:
    """SQLite rolls back by itself; a second ROLLBACK must not hide why."""
    limit(on_sqlite, "max_page_count", 300)
    for ask in (
        lambda: jobs.submit(on_sqlite, big("pdf_full")),
        lambda: on_sqlite.execute("INSERT INTO report_data (job_id, body) VALUES ('x', %s)", ("x" * 2_000_000,)),
    ):
        with pytest.raises(DatabaseDown, match="disk is full"):
            ask()
    unlimited(on_sqlite)
    assert jobs.find(on_sqlite, "pdf_full") is None
    jobs.submit(on_sqlite, big("pdf_full"))


def test_work_that_goes_on_after_a_full_disk_commits_nothing(on_sqlite: Database) -> None:
    limit(on_sqlite, "max_page_count", 300)
    note = "INSERT INTO audit (at, who, act, subject) VALUES ('2026-01-01 00:00:00.000','full','x',%s)"

    def work() -> None:
        on_sqlite.execute(note, ("before",))
        try:
            on_sqlite.execute(note, ("x" * 2_000_000,))
        except DatabaseDown:
            on_sqlite.execute(note, ("after",))

    with pytest.raises(DatabaseDown):
        on_sqlite.transaction(work)
    assert on_sqlite.fetch_all("SELECT subject FROM audit WHERE who='full'") == []


def test_a_file_that_cannot_be_written_read_or_trusted_means_away(on_sqlite: Database, file: Path) -> None:
    limit(on_sqlite, "query_only", 1)
    with pytest.raises(DatabaseDown, match="cannot be written"):
        jobs.submit(on_sqlite, NewJob("pdf_1", "K1", "p"))
    unlimited(on_sqlite)
    sqlite3.connect(file).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    content = file.read_bytes()
    file.write_bytes(content[:4096] + os.urandom(len(content) - 4096))
    with pytest.raises(DatabaseDown, match="damaged"):
        jobs.submit(on_sqlite, NewJob("pdf_1", "K1", "p"))
    on_sqlite.close()
    file.write_bytes(b"this is no database at all, but a letter to my aunt" * 100)
    with pytest.raises(DatabaseDown, match="no database"):
        jobs.submit(on_sqlite, NewJob("pdf_1", "K1", "p"))
    on_sqlite.close()
    file.unlink()
    file.mkdir()
    with pytest.raises(DatabaseDown, match="opened"):
        jobs.submit(on_sqlite, NewJob("pdf_1", "K1", "p"))


def test_a_file_that_loses_its_pages_under_us_means_away(on_sqlite: Database, file: Path) -> None:
    jobs.submit(on_sqlite, big("pdf_1"))
    on_sqlite.scalar("PRAGMA wal_checkpoint(TRUNCATE)")
    os.truncate(file, 8192)
    on_sqlite.close()
    with pytest.raises(DatabaseDown):
        jobs.inline_report(on_sqlite, "pdf_1")


def test_a_lock_of_another_program_holds_one_thread_and_refuses_all_others_at_once(
    on_sqlite: Database, file: Path
) -> None:
    """A process has few threads; waiting in turn, each for as long as the lock, they would answer nobody else."""
    locker = sqlite3.connect(file, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    waited: list[float] = []

    def submit(number: int) -> None:
        since = time.monotonic()
        with pytest.raises(DatabaseBusy, match="locked"):
            jobs.submit(on_sqlite, NewJob(f"pdf_locked_{number}", "K1", "p", inline=b"{}" if number % 2 else None))
        waited.append(time.monotonic() - since)

    def together(numbers: range) -> None:
        threads = [threading.Thread(target=submit, args=(number,)) for number in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    together(range(8))
    assert time.monotonic() - began < 12  # the lock's patience, and that of one who came first when it had run out
    assert on_sqlite.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0  # readers are not kept
    waited.clear()
    together(range(8))
    assert sorted(waited)[-2] < 2, waited  # all but the one who asks
    locker.execute("ROLLBACK")
    jobs.submit(on_sqlite, NewJob("pdf_after", "K1", "p"))
    together_again = [
        threading.Thread(target=jobs.submit, args=(on_sqlite, NewJob(f"pdf_{n}", "K", "p"))) for n in range(8)
    ]
    for thread in together_again:
        thread.start()
    for thread in together_again:
        thread.join()
    assert on_sqlite.scalar("SELECT COUNT(*) FROM pdf_job_results") == 9
