"""SQLite's file holds people's results: nobody but the service reads it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from actors.process.runtime import build
from schema.rows import jobs
from schema.rows.jobs import NewJob
from schema.settings import Settings
from schema.sql.database import Database
from schema.sql.migrate import migrate


def test_rows_are_readable_for_their_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As PDFs are; what an earlier release has made with other modes is corrected."""
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    try:
        (tmp_path / "old").mkdir(mode=0o755)
        for name in ("r.db", "r.db-wal", "r.db-shm"):
            (tmp_path / "old" / name).touch(mode=0o644)
        for url, folder in (("sqlite:///old/r.db", "old"), ("sqlite:///new/r.db", "new")):
            runtime = build(Settings(database_url=url, run_dir=str(tmp_path / "run")))
            runtime.verify()
            jobs.submit(runtime.db, NewJob("pdf_1", "K1", "p", inline=b"{}"))
            modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / folder).glob("r.db*")}
            assert {"r.db", "r.db-wal", "r.db-shm"} <= set(modes)
            assert {mode for name, mode in modes.items() if "lock" not in name} == {0o600}, modes
            assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700
            runtime.close()
        absolute = tmp_path / "others"
        absolute.mkdir(mode=0o755)
        absolute.chmod(0o755)
        runtime = build(Settings(database_url=f"sqlite:///{absolute / 'r.db'}", run_dir=str(tmp_path / "run")))
        runtime.verify()
        assert absolute.stat().st_mode & 0o777 == 0o755  # may be anybody's: only what is in it is ours
        runtime.close()
    finally:
        os.umask(before)


def test_another_connection_of_the_process_drops_no_lock(tmp_path: Path) -> None:
    """A process that opens and closes the file itself loses all its POSIX locks. Another program that ends then removes
    the log while we use it."""
    file = tmp_path / "r.db"
    database = Database(f"sqlite:///{file}")
    migrate(database)
    jobs.submit(database, NewJob("pdf_1", "K1", "p"))
    thread = threading.Thread(target=database.ping)  # on a connection of its own
    thread.start()
    thread.join()

    def elsewhere(sql: str) -> str:
        program = f"import sqlite3; c = sqlite3.connect({str(file)!r}); print(c.execute({sql!r}).fetchall()); c.close()"
        return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    log = file.with_name("r.db-wal")
    before = log.stat().st_ino
    assert "pdf_1" in elsewhere("SELECT job_id FROM pdf_job_results")
    assert log.stat().st_ino == before
    jobs.submit(database, NewJob("pdf_2", "K1", "p"))
    assert "pdf_2" in elsewhere("SELECT job_id FROM pdf_job_results")
    database.close()
