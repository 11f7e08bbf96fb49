"""Callbacks: deliveries a second beside a bare `requests` thread pool, and a good host's delay beside a dead one.

`python -m ops.bench webhooks [--deliveries N] [--answer MS]`. The whole way of a delivery is measured on real servers:
relay, RabbitMQ, claim, permanent record, attempt row, signed POST, verdict. The contender is what the plan's code
does, `requests.post(url, json=…, timeout=30)`, in a pool of as many threads; nothing is recorded, guarded or signed.
Both call the same two receivers and take turns; these answer after 80 ms, the least that n8n 2.41 was seen to take.

The sender alone, without the rows around it, is timed in the same turns: what it costs to sign, guard and bound a POST.

The dead host accepts connections and never answers, which is the worst a host can do to a sender's threads. Its 200
deliveries are due before the good host's 200.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests
from ulid import ULID

from actors.deliver.sender import SignedSender
from ops.servers.process import wait_until
from ops.servers.receiver import Receiver
from ops.stack import Stack
from schema import VERSION
from schema.callbacks.allow_list import AllowList
from schema.life import rounds
from schema.ports import Post
from schema.rows import jobs, pauses
from schema.rows.jobs import NewJob
from schema.sql.database import Database

THREADS = 16
SHARE = 8
RATIO, P95 = 0.7, 2.0
BESIDE = 200  # deliveries to each host in the second part


@dataclass
class Bench:
    """The stack with its queues held, so that a batch of ended jobs can be laid out before the clock starts."""

    stack: Stack
    db: Database

    def lay_out(self, urls: list[str]) -> list[str]:
        """One ended job for each URL, its callback owed; returns the job ids."""
        made = []
        for url in urls:
            job = NewJob(job_id=f"pdf_{ULID()}", code="bench", product_id="bench", callback=url, fingerprint="bench")
            jobs.submit(self.db, job)
            row = jobs.find(self.db, job.job_id)
            assert row is not None
            rounds.finish(self.db, row, "completed", from_status="queued", outcome=None, link="https://example.com/x")
            made.append(job.job_id)
        return made

    def hold(self) -> None:
        for queue in ("pdf", "webhooks"):
            pauses.pause(self.db, f"queue:{queue}", reason="bench", by="bench")

    def release(self) -> float:
        """Let the callbacks go; the moment it happened. `pdf` stays held: nothing is rendered here."""
        pauses.resume(self.db, "queue:webhooks")
        return time.time()

    def deliver(self, urls: list[str], receivers: list[Receiver], counted: int) -> list[float]:
        """Seconds from the release to each POST that was received; the first `counted` suffice."""
        before = {receiver.port: len(receiver.posts()) for receiver in receivers}
        self.hold()
        time.sleep(1.5)  # every process has read the pause
        self.lay_out(urls)
        released = self.release()

        def received() -> int:
            return sum(len(receiver.posts()) - before[receiver.port] for receiver in receivers)

        wait_until(lambda: received() >= counted, 300, f"{counted} callbacks arrive")
        arrived = [post.time for receiver in receivers for post in receiver.posts()[before[receiver.port] :]]
        return sorted(moment - released for moment in arrived)


def _bare(urls: list[str]) -> float:
    """Deliveries a second of the plan's own code in a thread pool."""

    def post(url: str) -> None:
        body = {"job_id": "pdf_bench", "status": "completed", "google_drive_link": "https://example.com/x"}
        requests.post(url, json=body, timeout=30)

    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(post, urls))
    return len(urls) / (time.perf_counter() - began)


def _alone(sender: SignedSender, urls: list[str]) -> float:
    """Deliveries a second of our sender in such a pool."""
    body = b'{"job_id":"pdf_bench","status":"completed","google_drive_link":"https://example.com/x"}'
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda url: sender.send(Post(url, "msg_pdf_bench_1", body)), urls))
    if any(answer.status != 200 for answer in answers):
        raise RuntimeError("a receiver did not answer 200")
    return len(urls) / (time.perf_counter() - began)


def _rate(arrived: list[float]) -> float:
    """Deliveries a second between the first and the last that arrived."""
    return (len(arrived) - 1) / (arrived[-1] - arrived[0])


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def main(argv: list[str]) -> int:
    """Print the figures; 1 when one of them misses its aim."""
    parser = argparse.ArgumentParser(prog="ops.bench webhooks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--deliveries", type=int, default=600, help="callbacks in each turn (600)")
    parser.add_argument("--answer", type=float, default=80.0, help="milliseconds a receiver takes to answer (80)")
    parser.add_argument("--turns", type=int, default=3, help="turns of each contender (3)")
    options = parser.parse_args(argv)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    settings = {
        "REPORTQ_WEBHOOK_THREADS": str(THREADS),
        "REPORTQ_WEBHOOK_HOST_SHARE": str(SHARE),
        "REPORTQ_WEBHOOK_ALLOW": "127.0.0.0/8",
        "REPORTQ_SWITCH_POLL": "0.2",
        "REPORTQ_LOG_LEVEL": "warning",
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        Receiver(Path(folder) / "other") as other,
        Receiver(Path(folder) / "dead") as dead,
        Stack(Path(folder) / "stack", settings=settings, render_workers=1) as stack,
    ):
        db = Database(stack.mariadb.url)
        bench = Bench(stack, db)
        good = stack.receiver
        for receiver in (good, other):
            receiver.script("*", {"delay": options.answer / 1000})
        dead.script("*", {"hang": True})
        both = [receiver.url() for receiver in (good, other)] * (options.deliveries // 2)

        ours, bare, alone_rates = [], [], []
        sender = SignedSender([], version=VERSION, allow=AllowList.parse("127.0.0.0/8"), connections=THREADS)
        bench.deliver(both[:64], [good, other], 64)  # connections, caches and compilers are warm
        for turn in range(1, options.turns + 1):
            bare.append(_bare(both))
            alone_rates.append(_alone(sender, both))
            ours.append(_rate(bench.deliver(both, [good, other], len(both))))
            print(
                f"turn {turn}: bare requests pool {bare[-1]:.0f}/s, reportq's sender {alone_rates[-1]:.0f}/s, "
                f"reportq the whole way {ours[-1]:.0f}/s"
            )
        sender.close()
        ratio = statistics.median(ours) / statistics.median(bare)

        alone = [_p95(bench.deliver([good.url()] * BESIDE, [good], BESIDE)) for _ in range(options.turns)]
        beside = []
        for _ in range(options.turns):
            beside.append(_p95(bench.deliver([dead.url()] * BESIDE + [good.url()] * BESIDE, [good], BESIDE)))
            _forget(db)
        print(f"good host's p95 alone {statistics.median(alone):.2f} s, beside {BESIDE} to a dead host "
              f"{statistics.median(beside):.2f} s")  # fmt: skip
        slower = statistics.median(beside) / statistics.median(alone)
        db.close()
    print(f"webhooks ratio_vs_bare={ratio:.2f} p95_ratio_beside_dead_host={slower:.2f}")
    return 0 if ratio >= RATIO and slower < P95 else 1


def _forget(db: Database) -> None:
    """What is still owed to the dead host, and its pause, so that the next turn begins as the first did."""
    db.execute("UPDATE deliveries SET status='dead' WHERE status='queued' AND host LIKE '127.0.0.1:%%'")
    wait_until(
        lambda: db.fetch_all("SELECT COUNT(*) AS n FROM deliveries WHERE status='processing'")[0]["n"] == 0,
        60,
        "the dead host's last callbacks time out",
    )
    db.execute("UPDATE deliveries SET status='dead' WHERE status='queued'")
    db.execute("DELETE FROM pauses WHERE scope LIKE 'host:%%'")
    db.execute("DELETE FROM dependencies WHERE scope LIKE 'host:%%'")
