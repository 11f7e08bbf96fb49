"""A worker whose parent was killed ends, whenever that was and whatever its threads hang in (DESIGN §2.7)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ops.servers.process import wait_until

# Forks as the `dramatiq` command does; the child begins to beat only once its parent has been killed.
PROGRAM = """
import multiprocessing, os, signal, sys, time
from pathlib import Path
from types import SimpleNamespace
from middleware.hooks import heartbeats
from middleware.hooks.lifecycle import Attempts
from schema.sql.database import Database
from schema.sql.migrate import migrate

def child(folder, parent, obeys):
    Path(folder, "pid").write_text(str(os.getpid()))
    while os.getppid() == parent:
        time.sleep(0.01)
    if not obeys:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as with threads that an orderly end would wait for in vain
        heartbeats.ORPHAN_SECONDS = 0.3
    db = Database(f"sqlite:///{folder}/orphans.db")
    migrate(db)
    beats = heartbeats.Heartbeats(db, Attempts(), worker_id="o", every=0.05, lease=60.0, guard_process=True)
    beats.after_worker_boot(None, SimpleNamespace(consumer_whitelist={"webhooks"}, worker_threads=1))
    time.sleep(600)

process = multiprocessing.get_context("fork").Process(target=child, args=(sys.argv[1], os.getpid(), sys.argv[2] == "obeys"))
process.start()
process.join()
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("how", ["obeys", "hangs"])
def test_a_worker_whose_parent_was_killed_before_it_came_to_look_ends(tmp_path: Path, how: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path), how])
    written = tmp_path / "pid"
    wait_until(lambda: written.exists() and written.read_text() != "", 60, "the worker is forked")
    worker = int(written.read_text())
    parent.kill()
    parent.wait()
    try:
        wait_until(lambda: not alive(worker), 60, "the worker has ended")
    finally:
        if alive(worker):
            os.kill(worker, signal.SIGKILL)
