"""The plan's own work end to end: submitted, drawn, uploaded, called back; ours beside the plan as it was written.

Everybody draws the reference report, each with its own name and values, from its document over MongoDB's protocol.
Everybody uploads to the same Drive double, where each upload takes `--latency` seconds, and calls the same receiver
back. The peers are RQ's and Celery's worker processes with plain fpdf2 and PyDrive2. Queues are filled before the clock
starts. What counts are the callbacks that arrive, from the first tenth to the last.

With limits the clock starts with the first upload. The account's bucket holds 10 writes, and each limit lasts equally
long, as long as it takes to write all reports at once. The share used is of the limits' writes until the last file; the
bucket's first 10 come on top.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import pymongo

from ops.bench.frame import Contender, Figures, console, last_line, parser, percentile, take_turns
from ops.bench.memory import megabytes
from ops.bench.ours import Ours, opened, peers_environ
from ops.bench.peers import programs
from ops.bench.peers.programs import PEERS
from ops.bench.reference import TEMPLATES, report
from ops.servers import leash
from ops.servers.process import wait_until
from ops.servers.redis import Redis
from schema.sql.times import as_time

PRODUCT, MODULE = "referensi", f"{PEERS}.plan"
OURS, AT_ONCE = "reportq", "reportq, Drive at 0 s"
PLAN, CELERY = "the plan: RQ, fpdf2, PyDrive2", "Celery, the same way"
LEAST, LEAST_SHARE, LEAST_USED, MOST_REFUSED = 6.0, 0.75, 0.93, 0.05
BUCKET = 10
HIGH, BESIDE = 5, 200  # high jobs, and normal ones that upload meanwhile
PATIENCE = 600.0  # seconds for one turn


def main(argv: list[str]) -> int:
    """Print table and figures; 1 when less was reached than is promised."""
    options = parser("reports", __doc__, turns=3)
    options.add_argument("--latency", type=float, default=1.0, help="seconds of one upload (1)")
    options.add_argument("--limit", default="none", help="writes a second, one after another, such as 3,1,6 (none)")
    options.add_argument("--workers", type=int, help="simultaneous renderings (3; with limits 5)")
    options.add_argument("--jobs", type=int, help="reports in each turn (200; with limits 600)")
    options.add_argument("--only", choices=("ours", "all"), default="all", help="ours: without the peers")
    asked = options.parse_args(argv)
    limits = [] if asked.limit == "none" else [float(part) for part in asked.limit.split(",")]
    workers, jobs = asked.workers or (5 if limits else 3), asked.jobs or (600 if limits else 200)
    with contextlib.ExitStack() as held:
        settings = {"REPORTQ_TEMPLATES_DIR": str(TEMPLATES), "REPORTQ_SWITCH_POLL": "3"}  # as shipped
        ours = held.enter_context(opened(render_workers=workers, drive=True, settings=settings))
        folder = ours.folder
        save_reports(ours, max(jobs, BESIDE))
        if limits:
            return paced(ours, limits, asked.latency, jobs)
        reports(ours, jobs // 4, 0.0)  # warm
        contenders: dict[str, Contender] = {OURS: lambda: reports(ours, jobs, asked.latency)}
        contenders[AT_ONCE] = lambda: reports(ours, jobs, 0.0)
        if asked.only == "all":
            redis = held.enter_context(Redis(folder / "redis", durable=False))
            environ = peers_environ(ours.stack, redis) | work_environ(ours)
            few = max(jobs // 4, 4 * workers)

            def plan() -> Figures:
                programs.fill(MODULE, "queue.enqueue(generate, f'R{n}')", few, environ)
                return peer(ours, few, asked.latency, programs.rq_workers(folder, redis.url, "plan", environ, workers))

            def celery() -> Figures:
                programs.fill(MODULE, "generate_later.delay(f'R{n}')", few, environ)
                return peer(ours, few, asked.latency, programs.celery_worker(folder, MODULE, "plan", environ, workers))

            contenders |= {PLAN: plan, CELERY: celery}
        results = take_turns(contenders, asked.turns)
        high = [beside(ours, asked.latency) for _ in range(asked.turns)]
    title = f"Reports end to end, Drive {asked.latency:g} s, {workers} workers, {asked.turns} turns"
    results.show(asked, title, "per_s", f"Reports a second, an upload takes {asked.latency:g} s")
    share = results.ratio(OURS, AT_ONCE, "per_s")
    figures = {"share_of_no_latency": share, "per_s": results.median(OURS, "per_s"),
               "high_ms": percentile(high, 0.5), "pss_mb": results.median(OURS, "pss_mb")}  # fmt: skip
    if asked.only == "ours":
        last_line("reports", **figures)
        return 0 if share >= LEAST_SHARE else 1
    against = results.ratio(OURS, PLAN, "per_s")
    last_line("reports", ratio_vs_plan=against, ratio_vs_celery=results.ratio(OURS, CELERY, "per_s"), **figures)
    return 0 if against >= LEAST and share >= LEAST_SHARE else 1


def save_reports(ours: Ours, count: int) -> None:
    """The source documents of all jobs, R0 and on."""
    with pymongo.MongoClient[dict[str, Any]](ours.stack.mongo.url) as client:
        found = client["workflow"]["psikotes_v2"]
        found.create_index("code")
        found.insert_many({**report(number), "code": f"R{number}", "product_id": PRODUCT} for number in range(count))


def work_environ(ours: Ours) -> dict[str, str]:
    """Where the peers find what they share with us."""
    drive, environment = ours.stack.drive, ours.stack.environment
    return {
        "BENCH_MONGO_URL": ours.stack.mongo.url, "BENCH_CALLBACK": ours.stack.receiver.url(),
        "BENCH_KEY": environment["REPORTQ_GDRIVE_CREDENTIALS"], "BENCH_DRIVE": drive.api_root,
        "BENCH_FOLDER": drive.folder_id,
    }  # fmt: skip


def told(ours: Ours, jobs: int, start: Callable[[], object]) -> float:
    """Callbacks a second between the first tenth and the last, of so many that `start` sets off."""
    journal = ours.stack.receiver.journal

    def lines() -> int:
        return len(journal.read_bytes().splitlines()) if journal.exists() else 0

    before = lines()
    start()
    wait_until(lambda: lines() >= before + jobs, PATIENCE, f"{jobs} callbacks")
    times = [post.time for post in ours.stack.receiver.posts()[before:]]
    return (jobs - jobs // 10) / (times[-1] - times[max(0, jobs // 10 - 1)])


def submit(ours: Ours, jobs: int, priority: str = "normal") -> None:
    """Through the API, in batches, as the plan's caller does."""
    same = {"productId": PRODUCT, "priority": priority, "callback": ours.stack.receiver.url()}
    requests = [{"code": f"R{number}", **same} for number in range(jobs)]
    for start in range(0, jobs, 100):
        answer = ours.stack.call("POST", "/api/reports/batch", json={"jobs": requests[start : start + 100]})
        if answer.status_code != 202:
            raise RuntimeError(f"{answer.status_code} {answer.text}")


def pss(ours: Ours) -> float:
    """Megabytes of all render processes, pages that they share counted once."""
    return sum(
        megabytes(pid, "Pss:")
        for name in ours.stack.names()
        if name.startswith("render")
        for above in [ours.stack.pid(name)]
        for pid in [above, *leash.descendants(above)]
    )


def reports(ours: Ours, jobs: int, latency: float) -> Figures:
    """Ours: memory is measured as the last callback arrives."""
    ours.stack.drive.pace(latency=latency)
    ours.hold("pdf")
    time.sleep(3.5)  # a look at pauses
    ours.empty()
    submit(ours, jobs)
    rate = told(ours, jobs, lambda: ours.release("pdf"))
    if ours.count("status='completed'") != jobs:
        raise RuntimeError("a report failed")
    return {"per_s": rate, "pss_mb": pss(ours)}


def peer(ours: Ours, jobs: int, latency: float, workers: AbstractContextManager[object]) -> Figures:
    """A peer's workers, started with their queue full."""
    ours.stack.drive.pace(latency=latency)
    with contextlib.ExitStack() as held:
        return {"per_s": told(ours, jobs, lambda: held.enter_context(workers)), "pss_mb": 0.0}


def beside(ours: Ours, latency: float) -> float:
    """Milliseconds from a high job's 202 to its `processing` while normal ones upload; median of a few."""
    ours.stack.drive.pace(latency=latency)
    ours.empty()
    submit(ours, BESIDE)
    wait_until(lambda: ours.count("stage='uploading'") > 0, 60, "an upload")
    waited = []
    for number in range(HIGH):
        job_id = ours.stack.submit(code=f"R{number}", productId=PRODUCT, priority="high")
        answered = datetime.now(UTC)
        wait_until(lambda job=job_id: ours.count(f"job_id='{job}' AND start_no > 0") == 1, 120, "a start")  # type: ignore[misc]
        started = as_time(ours.db.scalar("SELECT started_at FROM pdf_job_results WHERE job_id=%s", (job_id,)))
        waited.append((started - answered).total_seconds() * 1000)
    if ours.count("status='queued'") == 0:
        raise RuntimeError("nothing waited any more: more jobs are needed beside the high ones")
    wait_until(lambda: ours.count("ended_at IS NULL") == 0, PATIENCE, "all end")
    return percentile(waited, 0.5)


def paced(ours: Ours, limits: list[float], latency: float, jobs: int) -> int:
    """The share of the limits that is used, what was refused, and whether anything was paused."""
    drive, each = ours.stack.drive, jobs / sum(limits)
    ours.hold("pdf")
    time.sleep(3.5)
    submit(ours, jobs)
    drive.pace(latency=latency, writes=limits[0], burst=BUCKET)
    before, refused = len(drive.files()), drive.counts().get("refused", 0)
    ours.release("pdf")
    wait_until(lambda: ours.count("stage='uploading'") > 0, 60, "the first upload")
    paused: set[tuple[Any, str]] = set()
    began, started, done = time.monotonic(), time.time(), threading.Event()

    def watch() -> None:
        current = limits[0]
        while not done.wait(0.2):
            wanted = limits[min(int((time.monotonic() - began) / each), len(limits) - 1)]
            if wanted != current:
                current = wanted
                drive.pace(latency=latency, writes=current, burst=BUCKET)
            rows = ours.stack.sql("SELECT scope, since FROM pauses")
            paused.update((row["scope"], str(row["since"])) for row in rows)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        wait_until(lambda: ours.count("ended_at IS NULL") == 0, PATIENCE, f"{jobs} reports end")
    finally:
        seconds = time.monotonic() - began
        done.set()
        watcher.join()
    written = len(drive.files()) - before
    moments = [datetime.fromisoformat(file["createdDate"]).timestamp() - started for file in drive.files()[before:]]
    refused = drive.counts().get("refused", 0) - refused
    if written != jobs or ours.count("status='completed'") != jobs:
        raise RuntimeError(f"{written} files of {jobs} reports")
    allowed = 0.0
    for place, limit in enumerate(limits):
        begin, until = place * each, seconds if place == len(limits) - 1 else (place + 1) * each
        allowed += limit * max(0.0, min(seconds, until) - begin)
        there = sum(begin <= moment < until for moment in moments)
        console.print(f"{limit:g}/s allowed: {there / (until - begin):.2f}/s written in {until - begin:.0f} s")
    used, share = written / allowed, refused / (written + refused)
    last_line("pace", used=used, refused=share, pauses=len(paused), seconds=seconds)
    return 0 if used >= LEAST_USED and share <= MOST_REFUSED and not paused else 1
