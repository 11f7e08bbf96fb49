"""Finished no-op jobs a second with two worker processes: ours beside Celery with its results in MariaDB, RQ, Dramatiq.

Every queue is filled before the clock starts. Ours does all of the protocol: claim, point of no return, end, attempt
row, delivery row, each guarded and committed to disk. Only drawing, source document and file are left out; callbacks
are written and not sent. Ours is counted by the rows' own end times, Celery by its result rows, RQ by its registry of
finished jobs. Bare Dramatiq knows nothing of its jobs: the messages that are left count.
"""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from ops.bench.frame import Contender, Figures, last_line, parser, take_turns
from ops.bench.ours import Ours, opened, peers_environ
from ops.bench.peers import programs
from ops.bench.peers.programs import PEERS
from ops.servers.process import wait_until
from ops.servers.redis import Redis

OURS, CELERY, RQ, BARE = "reportq", "Celery, MariaDB results", "RQ", "Dramatiq, bare"
LEAST = 1.3
PROCESSES = 2


def rate_of(done: Callable[[], int], jobs: int, timeout: float = 300) -> float:
    """Jobs a second between the first tenth and the last: workers' start-up is nobody's figure."""
    wait_until(lambda: done() >= jobs // 10, timeout, "the first tenth is done")
    first, began = done(), time.perf_counter()
    wait_until(lambda: done() >= jobs, timeout, f"{jobs} jobs are done")
    return (jobs - first) / (time.perf_counter() - began)


def main(argv: list[str]) -> int:
    """Print table and figures; 1 when we are slower than what was promised."""
    options = parser("drain", __doc__, turns=3)
    options.add_argument("--jobs", type=int, default=3000, help="in each turn (3000; RQ gets a quarter)")
    options.add_argument("--only", choices=("ours", "all"), default="all", help="ours: without the peers")
    asked = options.parse_args(argv)
    with contextlib.ExitStack() as held:
        ours = held.enter_context(opened(render_workers=PROCESSES, noop=True))
        folder = ours.folder
        ours.hold("pdf", "webhooks")
        contenders: dict[str, Contender] = {OURS: lambda: us(ours, asked.jobs)}
        if asked.only == "all":
            redis = held.enter_context(Redis(folder / "redis", durable=False))
            environ = peers_environ(ours.stack, redis)
            contenders[CELERY] = lambda: celery(ours, folder, environ, asked.jobs)
            contenders[RQ] = lambda: rq(redis, folder, environ, asked.jobs // 4)
            contenders[BARE] = lambda: bare(ours, folder, environ, asked.jobs * 2)
        us(ours, 400)
        results = take_turns(contenders, asked.turns)
    title = f"Finished no-op jobs, {PROCESSES} processes, {asked.turns} turns"
    results.show(asked, title, "jobs_per_s", "Finished no-op jobs a second")
    figures = {"per_s": results.median(OURS, "jobs_per_s")}
    if asked.only == "ours":
        last_line("drain", **figures)
        return 0
    against = results.ratio(OURS, CELERY, "jobs_per_s")
    last_line("drain", ratio_vs_celery_db=against, ratio_vs_rq=results.ratio(OURS, RQ, "jobs_per_s"),
              ratio_vs_bare=results.ratio(OURS, BARE, "jobs_per_s"), **figures)  # fmt: skip
    return 0 if against >= LEAST else 1


def us(ours: Ours, jobs: int) -> Figures:
    """From the rows: each job's end is in the transaction that ended it."""
    ours.hold("pdf")
    ours.empty()
    ours.lay_out(jobs, name=os.urandom(3).hex().upper())
    ours.release("pdf")
    wait_until(lambda: ours.count("status='completed'") == jobs, 300, f"{jobs} jobs completed in SQL")
    row = ours.db.fetch_one(
        "SELECT COUNT(*) AS n, TIMESTAMPDIFF(MICROSECOND, MIN(ended_at), MAX(ended_at)) AS micros FROM "
        "(SELECT ended_at FROM pdf_job_results ORDER BY ended_at DESC LIMIT %s) AS later",
        (jobs - jobs // 10,),
    )
    assert row is not None
    owed = int(ours.db.scalar("SELECT COUNT(*) FROM deliveries"))
    attempts = int(ours.db.scalar("SELECT COUNT(*) FROM attempts WHERE outcome='completed'"))
    if owed != jobs or attempts != jobs:
        raise RuntimeError(f"{jobs} jobs, {attempts} attempts, {owed} deliveries")
    return {"jobs_per_s": row["n"] / (row["micros"] / 1e6)}


def celery(ours: Ours, folder: Path, environ: dict[str, str], jobs: int) -> Figures:
    """From its result rows."""
    with contextlib.suppress(Exception):
        ours.db.execute("TRUNCATE TABLE celery_taskmeta")
    module = f"{PEERS}.fastapi_celery"
    programs.fill(module, "render_pdf.delay(str(n), 'code', 'product', None)", jobs, environ)

    def done() -> int:
        try:
            return int(ours.db.scalar("SELECT COUNT(*) FROM celery_taskmeta WHERE status='SUCCESS'"))
        except Exception:
            return 0  # its first worker makes the table

    with programs.celery_worker(folder, module, "celery_bench", environ, PROCESSES):
        return {"jobs_per_s": rate_of(done, jobs)}


def rq(redis: Redis, folder: Path, environ: dict[str, str], jobs: int) -> Figures:
    """From its registry of finished jobs."""
    redis.ask("FLUSHALL")
    programs.fill(f"{PEERS}.flask_rq", "queue.enqueue(render, str(n), 'code', 'product', None)", jobs, environ)

    def done() -> int:
        return int(redis.ask("ZCARD", "rq:finished:bench").lstrip(":") or 0)

    with programs.rq_workers(folder, redis.url, "bench", environ, PROCESSES):
        return {"jobs_per_s": rate_of(done, jobs)}


def bare(ours: Ours, folder: Path, environ: dict[str, str], jobs: int) -> Figures:
    """Two processes with Dramatiq's default of 8 threads each; nothing is written anywhere."""
    module = f"{PEERS}.falcon_dramatiq"
    programs.fill(module, "render_pdf.send(str(n), 'code', 'product', None)", jobs, environ)

    def done() -> int:
        return jobs - ours.stack.rabbitmq.waiting("bare_bench")

    with programs.Program(folder, "bare-worker", ["dramatiq", module, "--processes", str(PROCESSES)], environ):
        return {"jobs_per_s": rate_of(done, jobs)}
