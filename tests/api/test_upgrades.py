"""Starting, upgrading, backing up: no two starters collide, no data is lost, old and new work side by side."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from playhouse.migrations import Runner
from ulid import ULID

from middleware.rabbitmq.broker import encode
from ops import backups, sql_dump
from ops.servers.mariadb import MariaDB
from ops.servers.process import wait_until
from schema.documents.record import from_json
from schema.life import rounds
from schema.ports import Message
from schema.rows import deliveries, jobs, letters, outbox
from schema.rows.columns import JobEnd, JobRow
from schema.rows.jobs import NewJob
from schema.settings import Settings
from schema.sql import migrate
from schema.sql.database import Database

ROOT = Path(__file__).resolve().parents[2]

# What the release after this one may do to the tables while this one still works on them: add, never take away.
NEXT = """
atomic = False
def up(migrator, db):
    db.execute_sql("ALTER TABLE pdf_job_results ADD COLUMN colour VARCHAR(16) NULL")
    db.execute_sql("ALTER TABLE deliveries ADD COLUMN shape VARCHAR(16) NOT NULL DEFAULT 'round'")
    db.execute_sql("CREATE TABLE novelties (id INT PRIMARY KEY)")
def down(migrator, db):
    pass
"""


@contextlib.contextmanager
def database_for(request: pytest.FixtureRequest, dialect: str, folder: Path) -> Iterator[str]:
    """The URL of a database without any table."""
    if dialect == "sqlite":
        yield f"sqlite:///{folder / 'empty.db'}"
        return
    server: MariaDB = request.getfixturevalue("mariadb")
    name = f"t{str(ULID()).lower()}"
    admin = Database(server.admin_url)
    admin.execute(f"CREATE DATABASE {name}")
    yield f"{server.admin_url.rpartition('/')[0]}/{name}?ssl-mode=DISABLED"
    admin.execute(f"DROP DATABASE {name}")
    admin.close()


@pytest.fixture(params=["sqlite", "mariadb"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database_for(request, request.param, tmp_path) as url:
        yield url


def _start(url: str, results: Any) -> None:
    db = Database(url)
    try:
        results.put(migrate.migrate(db))
    except BaseException as error:
        results.put(repr(error))
    finally:
        db.close()


def test_starters_at_the_same_time_do_not_collide(empty: str) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # six imports would take longer than six migrations
    results = context.Queue()
    starters = [context.Process(target=_start, args=(empty, results)) for _ in range(6)]
    for starter in starters:
        starter.start()
    steps = [results.get(timeout=90) for _ in starters]
    for starter in starters:
        starter.join()
    known = [step.name for step in Runner(Database(empty).peewee, str(migrate.DIRECTORY)).status()]
    assert sorted(steps, key=str) == sorted([[]] * 5 + [known], key=str)
    db = Database(empty)
    assert migrate.pending(db) == []
    db.close()


def test_a_slow_migration_outlasts_the_usual_limit_of_an_answer(
    mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another starter holds the lock for longer than an answer may take, and then a step itself takes as long."""
    steps = tmp_path / "steps"
    steps.mkdir()
    (steps / "0001_slow.py").write_text("atomic = False\ndef up(migrator, db):\n    db.execute_sql('DO SLEEP(1.2)')\n")
    monkeypatch.setattr(migrate, "DIRECTORY", steps)
    name = f"t{str(ULID()).lower()}"
    admin = Database(mariadb.admin_url)
    admin.execute(f"CREATE DATABASE {name}")
    hasty = Database(mariadb.admin_url.rpartition("/")[0] + f"/{name}", io_timeout=0.6)
    waits = "SELECT COUNT(*) FROM information_schema.processlist WHERE db=%s AND info LIKE 'SELECT GET_LOCK%%'"
    try:
        assert admin.scalar("SELECT GET_LOCK(%s, 0)", (migrate._LOCK,)) == 1
        with ThreadPoolExecutor(1) as starter:
            done = starter.submit(migrate.migrate, hasty)
            wait_until(lambda: admin.scalar(waits, (name,)) or done.done(), 30, "it waits for the lock")
            admin.scalar("SELECT SLEEP(1.2)")
            admin.scalar("SELECT RELEASE_LOCK(%s)", (migrate._LOCK,))
            assert done.result(60) == ["0001_slow"]
    finally:
        admin.execute(f"DROP DATABASE {name}")
        admin.close()


def history() -> list[str]:
    """Every step there is, in order: each was the newest of some release."""
    return sorted(path.stem for path in migrate.DIRECTORY.glob("[0-9]*.py"))


def fill(db: Database) -> dict[str, str]:
    """A job in each state that outlives a stop, written by the columns every release had."""
    waiting, failed, done = (f"pdf_{ULID()}" for _ in range(3))
    for job_id in (waiting, failed, done):
        jobs.submit(db, NewJob(job_id, "K1", "p", callback="https://hooks.example/x", inline=b'{"a":1}'))
    for job_id, status in ((failed, "failed"), (done, "completed")):
        db.execute("UPDATE pdf_job_results SET status='processing', start_no=1 WHERE job_id=%s", (job_id,))
        row = jobs.find(db, job_id)
        assert row is not None
        db.transaction(lambda row=row, status=status: end(db, row, status))  # type: ignore[misc]
    return {"waiting": waiting, "failed": failed, "done": done}


def end(db: Database, row: JobRow, status: JobEnd) -> None:
    """What each release has written when a round ends, by columns that the first one had."""
    code, message = ("invalid_data", "At name: missing.") if status == "failed" else (None, None)
    db.execute(
        f"UPDATE pdf_job_results SET status=%s, ended_at={db.now()}, completed_at={db.now()}, error_code=%s, "
        "error_message=%s WHERE job_id=%s",
        (status, code, message, row["job_id"]),
    )
    rounds.write_attempt(db, row, status, None)  # type: ignore[arg-type]
    deliveries.owe(db, row, {"status": status, "error_code": code, "error_message": message})
    if code and message:
        letters.bury_job(db, row, code, message, None)


def check(db: Database, ids: dict[str, str]) -> None:
    for name, status in (("waiting", "queued"), ("failed", "failed"), ("done", "completed")):
        row = jobs.find(db, ids[name])
        assert row is not None
        assert row["status"] == status
    assert json.loads(jobs.inline_report(db, ids["waiting"]) or "") == {"a": 1}
    assert db.scalar("SELECT COUNT(*) FROM deliveries") == 2
    assert rounds.replay(db, ids["failed"], by="test") == "replayed"
    held = jobs.claim(db, ids["waiting"], worker_id="w", lease=20, timeout=300)
    assert isinstance(held, jobs.Claim)


@pytest.mark.parametrize("release", range(len(history())))
def test_every_release_moves_forward_with_its_data(empty: str, tmp_path: Path, release: int) -> None:
    steps = tmp_path / "steps"
    steps.mkdir()
    for name in history()[: release + 1]:
        shutil.copy(migrate.DIRECTORY / f"{name}.py", steps)
    db = Database(empty)
    Runner(db.peewee, str(steps), table_name="schema_migration").up()
    ids = fill(db)
    migrate.migrate(db)
    check(db, ids)
    db.close()


def test_this_release_works_on_beside_the_next_one(empty: str, tmp_path: Path) -> None:
    """Rows of a newer schema, messages and records with fields nobody here knows: all are read and written."""
    db = Database(empty)
    migrate.migrate(db)
    ids = fill(db)
    steps = tmp_path / "steps"
    shutil.copytree(migrate.DIRECTORY, steps, ignore=shutil.ignore_patterns("__*"))
    (steps / "9999_next.py").write_text(NEXT)
    assert list(Runner(db.peewee, str(steps), table_name="schema_migration").up())
    assert migrate.pending(db) == []
    assert migrate.migrate(db) == []
    db.execute("UPDATE pdf_job_results SET colour='blue'")
    check(db, ids)
    ids = fill(db)
    taken = outbox.JOBS.take(db, limit=10, hold=10)
    assert ids["waiting"] in [row["id"] for row in taken.rows]
    db.close()


def test_a_newer_message_and_a_newer_record_are_understood() -> None:
    message = dramatiq.Message.decode(encode(Message("pdf", "render_pdf", "pdf_1")))
    newer = message.copy(options={**message.options, "next_release": {"a": 1}})
    again: Any = dramatiq.Message.decode(newer.encode())
    assert (again.actor_name, again.args) == ("render_pdf", ("pdf_1",))
    record = {
        "job_id": "pdf_1", "code": "K", "product_id": "p", "round": 1, "status": "completed",
        "requested_at": "2026-11-23T18:00:00.000000Z", "ended_at": "2026-11-23T18:00:01.000000Z", "unheard_of": [1],
    }  # fmt: skip
    assert from_json(json.dumps(record)).job_id == "pdf_1"


def test_a_backup_taken_while_jobs_come_in_is_restored_whole(empty: str, mariadb: MariaDB, tmp_path: Path) -> None:
    settings = Settings(database_url=empty, artifacts_url=f"file:{tmp_path / 'pdfs'}", run_dir=str(tmp_path))
    db = Database(empty)
    migrate.migrate(db)
    ids = fill(db)
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "pdfs" / "01J.pdf").write_bytes(b"%PDF-1.7")
    outbox.JOBS.mark(db, taken := outbox.JOBS.take(db, limit=10, hold=10), taken.rows)
    with busy(empty) as written:
        wait_until(lambda: len(written) > 5, 30, "jobs come in")
        before = list(written)
        backups.make(settings, tmp_path / "backup")
        after = len(written)
        wait_until(lambda: len(written) > after, 30, "jobs come in afterwards")
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "backup").glob("reportq.*"))
    later = f"pdf_{ULID()}"
    jobs.submit(db, NewJob(later, "K2", "p"))
    target, drop = _another(empty, mariadb, tmp_path)
    restored = Settings(database_url=target, artifacts_url=f"file:{tmp_path / 'again'}", run_dir=str(tmp_path))
    try:
        assert backups.restore(restored, tmp_path / "backup") == 1, "the published row is published again"
        copy = Database(target)
        assert jobs.find(copy, later) is None
        check(copy, ids)
        there = {row["job_id"] for row in copy.fetch_all("SELECT job_id FROM pdf_job_results WHERE code='MEANWHILE'")}
        whole = {row["job_id"] for row in copy.fetch_all("SELECT job_id FROM report_data")}
        assert there >= set(before), "what was accepted before it began is in it"
        assert len(there) < len(written), "what came after its one moment is not"
        assert there <= whole, "a job is in it with its data, or not at all"
        copy.close()
        assert (tmp_path / "again" / "01J.pdf").read_bytes() == b"%PDF-1.7"
        with pytest.raises(backups.BackupFailed, match="empty"):
            backups.restore(restored, tmp_path / "backup")
        with pytest.raises(backups.BackupFailed, match="not empty"):
            backups.make(settings, tmp_path / "backup")
        with pytest.raises(backups.BackupFailed, match="folder of the PDFs"):
            backups.make(settings, tmp_path / "pdfs" / "backup")
    finally:
        drop()
        db.close()


def test_a_backup_is_closed_to_others_from_its_first_byte(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only once it is whole: a big one takes minutes, and its folder may be there and open."""
    settings = Settings(database_url=empty, run_dir=str(tmp_path))
    db = Database(empty)
    migrate.migrate(db)
    db.close()
    folder = tmp_path / "backup"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    backups.make(settings, folder)
    assert [path.stat().st_mode & 0o777 for path in folder.glob("reportq.*")] == [0o600]


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def backup(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of a database, and a backup of it and of a PDF."""
    folder = tmp_path_factory.mktemp("backup")
    with database_for(request, request.param, folder) as url:
        settings = Settings(database_url=url, artifacts_url=f"file:{folder / 'pdfs'}", run_dir=str(folder))
        db = Database(url)
        migrate.migrate(db)
        fill(db)
        db.close()
        (folder / "pdfs").mkdir()
        (folder / "pdfs" / "01J.pdf").write_bytes(b"%PDF-1.7")
        backups.make(settings, folder / "backup")
        yield url, folder / "backup"


@pytest.mark.parametrize("damage", ["a byte", "its end", "missing", "unfinished", "no manifest", "a row less"])
def test_a_damaged_backup_is_noticed_and_not_restored(
    backup: tuple[str, Path], mariadb: MariaDB, tmp_path: Path, damage: str
) -> None:
    url, whole = backup
    folder = tmp_path / "backup"
    shutil.copytree(whole, folder)
    assert backups.verify(folder)["pdf_job_results"] > 0
    (rows,) = folder.glob("reportq.*")
    manifest = folder / backups.MANIFEST
    match damage:
        case "a byte":
            content = bytearray(rows.read_bytes())
            content[len(content) // 2] ^= 1
            rows.write_bytes(content)
        case "its end":
            rows.write_bytes(rows.read_bytes()[:-2])
        case "missing":
            (folder / "artifacts" / "01J.pdf").unlink()
        case "unfinished":
            manifest.unlink()
        case "no manifest":
            manifest.write_text("[1]")
        case "a row less":
            told = json.loads(manifest.read_text())
            told["rows"]["pdf_job_results"] += 1
            manifest.write_text(json.dumps(told))
    target, drop = _another(url, mariadb, tmp_path)
    try:
        restored = Settings(database_url=target, artifacts_url=f"file:{tmp_path / 'again'}", run_dir=str(tmp_path))
        with pytest.raises(backups.BackupFailed):
            backups.restore(restored, folder)
        again = Database(target)
        assert again.peewee.get_tables() == [], "nothing was begun"
        again.close()
    finally:
        drop()


def test_every_value_comes_back_as_it_was(mariadb: MariaDB, tmp_path: Path) -> None:
    """Whatever bytes, texts and numbers a row holds; more rows than one statement takes, and one larger than it."""
    url, drop = _another("mysql:", mariadb, tmp_path)
    db = Database(url)
    columns = (
        "id INT AUTO_INCREMENT PRIMARY KEY, t LONGTEXT, b LONGBLOB, f DOUBLE, d DECIMAL(30,9), m DATETIME(6), l TIME(6)"
    )
    db.execute(f"CREATE TABLE odd ({columns}, twice DOUBLE AS (f * 2) STORED) COMMENT 'two\nlines; -- and `more`'")
    text = 'it\'s "quoted"; \\ back\n\r\n\t\x00\x1a %s é \u2028 \U0001f600 -- /* */ ;\n'
    moment, long = datetime(2026, 2, 28, 23, 59, 59, 999999), timedelta(hours=-800, microseconds=1)
    for row in (
        (text, bytes(range(256)), -1.5e300, Decimal("-123456789012345678901.000000001"), moment, long),
        ("", b"", 0.1, Decimal(0), None, None),
        (None, None, None, None, None, None),
        ("x" * 3_000_000, bytes(range(256)) * 8000, 5e-324, None, moment, timedelta(0)),
    ):
        db.execute("INSERT INTO odd (t,b,f,d,m,l) VALUES (%s,%s,%s,%s,%s,%s)", row)
    db.execute("INSERT INTO odd (t) SELECT CONCAT('row ', seq) FROM (WITH RECURSIVE n(seq) AS "
               "(SELECT 1 UNION ALL SELECT seq+1 FROM n WHERE seq<900) SELECT seq FROM n) s")  # fmt: skip
    before = db.fetch_all("SELECT * FROM odd ORDER BY id")
    with (tmp_path / "dump.sql").open("wb") as sink:
        assert sql_dump.write(db, sink) == {"odd": 904} == sql_dump.counted(tmp_path / "dump.sql")
    db.execute("DELETE FROM odd")
    sql_dump.read(db, tmp_path / "dump.sql")
    try:
        assert db.fetch_all("SELECT * FROM odd ORDER BY id") == before
    finally:
        db.close()
        drop()


@contextlib.contextmanager
def busy(url: str) -> Iterator[list[str]]:
    """Jobs with inline data (two rows in one transaction) come in for as long as the block lasts; yields their ids."""
    done, written = threading.Event(), list[str]()

    def write() -> None:
        db = Database(url)
        while not done.is_set():
            job_id = f"pdf_{ULID()}"
            jobs.submit(db, NewJob(job_id, "MEANWHILE", "p", inline=b'{"a":1}'))
            written.append(job_id)
        db.close()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        try:
            yield written
        finally:
            done.set()
            writer.result(60)


def _another(url: str, mariadb: MariaDB, folder: Path) -> tuple[str, Callable[[], object]]:
    if url.startswith("sqlite"):
        return f"sqlite:///{folder / 'again.db'}", lambda: None
    admin = Database(mariadb.admin_url)
    admin.execute("CREATE DATABASE restored")
    return mariadb.admin_url.rpartition("/")[0] + "/restored", lambda: admin.execute("DROP DATABASE restored")


# -- the commands -------------------------------------------------------------------------------------------------


@pytest.fixture
def reportq(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line on a database of its own."""
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "COLUMNS": "200",
        "REPORTQ_DATABASE_URL": f"sqlite:///{tmp_path / 'cli.db'}", "REPORTQ_RUN_DIR": str(tmp_path / "run"),
        "REPORTQ_ARTIFACTS_URL": f"file:{tmp_path / 'artifacts'}",
    }  # fmt: skip
    db = Database(environment["REPORTQ_DATABASE_URL"])
    migrate.migrate(db)
    db.close()

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ops.cli", *arguments], capture_output=True, text=True, env={**environment, **more}
        )

    return run


def test_the_operators_commands(reportq: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    asked = reportq("keys", "make", "n8n", "--role", "submit")
    assert asked.returncode == 1, "nobody says yes"
    assert json.loads(reportq("keys", "list", "--json").stdout) == {"keys": []}
    made = reportq("keys", "make", "n8n", "--role", "submit", "--rate", "60", "--yes")
    assert made.returncode == 0, made.stderr
    for told in (asked.stderr, made.stderr):
        for who in ("n8n workflow", "console", "Prometheus", "canary", "disable-auth"):
            assert who in told
    assert made.stdout.startswith("rq_")
    listed = reportq("keys", "list", "--json")
    key = json.loads(listed.stdout)["keys"][0]
    assert (key["name"], key["role"], key["rate"]) == ("n8n", "submit", 60)
    assert made.stdout.strip() not in listed.stdout
    assert reportq("keys", "revoke", key["key_id"], "--why", "leaked").returncode == 0
    assert reportq("keys", "revoke", key["key_id"]).returncode == 1
    for _ in range(2):
        assert reportq("keys", "make", "n8n").returncode == 0
    assert reportq("keys", "make", "grafana").returncode == 0
    revoked = reportq("keys", "revoke", "n8n")
    assert revoked.stdout.count("is revoked") == 2
    assert "No key is left" not in revoked.stderr
    last = reportq("keys", "revoke", "grafana")
    assert "every call is answered 401" in last.stderr
    assert reportq("keys", "disable-auth").returncode == 1, "nobody says yes"
    for variable, value in (
        ("REPORTQ_PUBLIC_URL", "https://x.example"),
        ("REPORTQ_API_KEYS", "a:read:0123456789abcdef"),
    ):
        refused = reportq("keys", "disable-auth", "--yes", **{variable: value})
        assert (refused.returncode, variable in refused.stderr) == (1, True)
    assert "3 keys forgotten" not in (done := reportq("keys", "disable-auth", "--yes")).stdout
    assert done.stdout.startswith("4 keys forgotten")
    assert json.loads(reportq("keys", "list", "--json").stdout) == {"keys": []}
    assert reportq("keys", "make", "n8n", "--yes").returncode == 0
    assert reportq("keys", "make", "n8n", "--role", "root").returncode == 2
    set_ = reportq("rollout", "set", "--percent", "10", "--json")
    assert json.loads(set_.stdout) == {"percent": 10, "sync_enabled": True}
    assert reportq("rollout", "set", "--percent", "101").returncode == 2
    assert "10 %" in reportq("rollout", "show").stdout
    erased = reportq("erase", "--code", "K1", "--yes", "--json")
    assert json.loads(erased.stdout)["jobs"] == 0
    assert reportq("backup", "make", str(tmp_path / "copy")).returncode == 0
    assert (tmp_path / "copy" / "reportq.db").exists()


def test_config_check_names_what_cannot_be_used(reportq: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    fine = reportq("config", "check")
    assert fine.returncode == 0, fine.stdout + fine.stderr
    wrong = reportq("config", "check", REPORTQ_JOB_TIMEOUT="soon")
    assert wrong.returncode == 4
    assert "REPORTQ_JOB_TIMEOUT" in wrong.stderr
    away = reportq("config", "check", REPORTQ_BROKER_URL="amqp://u:secret-word@127.0.0.1:1/", REPORTQ_HOST="0.0.0.0")
    assert away.returncode == 1
    assert "✗ REPORTQ_BROKER_URL" in away.stdout
    assert "✗ keys" in away.stdout
    assert "secret-word" not in away.stdout + away.stderr
    shown = reportq("config", "show", "--json", REPORTQ_API_KEYS="n8n:submit:0123456789abcdef")
    assert json.loads(shown.stdout)["REPORTQ_API_KEYS"] == "(set)"
