"""Retention beside submissions: a million finished rows in MariaDB, 100,000 of them old, cleaned while jobs come in.

Prints how long a submission's row takes at the 99th percentile without and with the cleaning, and their ratio (target:
under 2). The submissions are the API's own single INSERT; the cleaning is the leader's own step, in its own process.
"""

import multiprocessing
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ulid import ULID

from actors.housekeeping.retention import Retention
from ops.bench.frame import parser, percentile
from ops.bench.rows import lay_out
from ops.servers.mariadb import MariaDB
from schema.rows import jobs
from schema.rows.jobs import NewJob
from schema.sql.database import Database
from schema.sql.migrate import migrate

_KEEP = 3600.0
_EVERY = 0.01  # seconds between two submissions of a client
_SWEEP, _BUDGET = 2.0, 0.5  # the leader's own: seconds between steps, and of each step


def main(argv: list[str]) -> int:
    """Fill, measure without, measure with, print."""
    asked = parser("retention", __doc__)
    asked.add_argument("--rows", type=int, default=1_000_000, help="finished rows")
    asked.add_argument("--old", type=int, default=100_000, help="of them, how many must go")
    asked.add_argument("--clients", type=int, default=4, help="submitting threads")
    asked.add_argument("--quiet", type=float, default=20.0, help="seconds measured without cleaning")
    options = asked.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, MariaDB(Path(folder) / "mariadb") as server:
        db = Database(server.url, io_timeout=600)
        migrate(db)
        began = time.monotonic()
        fill(db, options.rows, options.old)
        print(f"retention rows={options.rows} old={options.old} filled_seconds={time.monotonic() - began:.0f}")
        without = Load(server.url, options.clients)
        time.sleep(options.quiet)
        quiet = without.stop()
        cleaner = multiprocessing.get_context("spawn").Process(target=clean, args=(server.url,))
        during = Load(server.url, options.clients)
        began = time.monotonic()
        cleaner.start()
        cleaner.join()
        took = time.monotonic() - began
        busy = during.stop()
        left = int(db.scalar(f"SELECT COUNT(*) FROM pdf_job_results WHERE ended_at <= {db.later(-_KEEP)}"))
        db.close()
    removed = options.old - left
    print(f"retention removed={removed} seconds={took:.0f} rows_per_second={removed / took:.0f}")
    for name, times in (("without", quiet), ("with", busy)):
        p50, p99 = (1000 * percentile(times, share) for share in (0.5, 0.99))
        print(f"retention submissions_{name}={len(times)} p50_ms={p50:.2f} p99_ms={p99:.2f}")
    print(f"retention submit_p99_ratio={percentile(busy, 0.99) / percentile(quiet, 0.99):.2f}")
    return 0 if left == 0 else 1


def clean(url: str) -> None:
    """The leader's sweeps, at its own pace, until nothing old is left."""
    db = Database(url)
    retention = Retention(db, keep=_KEEP, keep_letters=_KEEP)
    while retention.step(_BUDGET):
        time.sleep(_SWEEP)
    db.close()


class Load:
    """Threads that submit evenly; `stop` gives the seconds of each insert."""

    def __init__(self, url: str, clients: int) -> None:
        self._db = Database(url)
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(clients)
        self._clients = [self._pool.submit(self._submit) for _ in range(clients)]

    def _submit(self) -> list[float]:
        times = []
        while not self._stopping.wait(_EVERY):
            job = NewJob(f"pdf_{ULID()}", "bench", "minatBakatUmum", callback="https://n8n.example.com/webhook/done")
            began = time.perf_counter()
            jobs.submit(self._db, job)
            times.append(time.perf_counter() - began)
        self._db.close()
        return times

    def stop(self) -> list[float]:
        self._stopping.set()
        self._pool.shutdown()
        return [seconds for client in self._clients for seconds in client.result()]


def fill(db: Database, rows: int, old: int) -> None:
    """Completed jobs with what hangs on each: an attempt and a delivered callback; the first `old` ended long ago."""
    for numbers, ended in ((range(old), -2 * _KEEP), (range(old, rows), -1.0)):
        lay_out(db, "finished", numbers, ended=db.later(ended))
