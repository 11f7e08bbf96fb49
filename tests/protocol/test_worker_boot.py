"""A worker may be up before the relay has made the tables: it must be seen as soon as they are there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from middleware.hooks.heartbeats import Heartbeats
from middleware.hooks.lifecycle import Attempts
from ops.servers.process import wait_until
from schema.rows import workers
from schema.sql.database import Database
from schema.sql.migrate import migrate


def test_a_worker_that_booted_before_the_tables_beats_once_they_are_there(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    beats = Heartbeats(db, Attempts(), worker_id="early", every=0.05, lease=5.0, guard_process=False)
    worker = SimpleNamespace(consumer_whitelist={"pdf"}, worker_threads=1)

    beats.after_worker_boot(None, worker)
    migrate(db)

    try:
        wait_until(lambda: workers.threads(db, 60, "pdf") == 1, 30, "the worker is seen")
    finally:
        beats.after_worker_shutdown(None, worker)
        db.close()
