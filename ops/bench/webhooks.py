"""Callbacks: deliveries a second beside a bare `requests` thread pool, and a good host's delay beside a dead one.

`python -m ops.bench webhooks [--deliveries N] [--answer MS]`. The whole way of a delivery is measured on real servers:
relay, RabbitMQ, claim, permanent record, attempt row, signed POST, verdict. The contender is what the plan's code
does, `requests.post(url, json=…, timeout=30)`, in a pool of as many threads; nothing is recorded, guarded or signed.
Both call the same two receivers and take turns; these answer after 80 ms, the least that n8n 2.41 was seen to take.

The sender alone, without the rows around it, is timed in the same turns: what it costs to sign, guard and bound a POST.

The dead host accepts connections and never answers, which is the worst a host can do to a sender's threads. Its 200
deliveries are due before the good host's 200.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import requests
from ulid import ULID

from actors.deliver.sender import SignedSender
from ops.bench.frame import Figures, console, last_line, parser, percentile, take_turns
from ops.bench.ours import Ours, opened
from ops.servers.process import wait_until
from ops.servers.receiver import Receiver
from schema import VERSION
from schema.callbacks.allow_list import AllowList
from schema.life import rounds
from schema.ports import Post
from schema.rows import jobs
from schema.rows.jobs import NewJob
from schema.sql.database import Database

OURS, BARE, SENDER = "reportq, the whole way", "requests in a pool", "reportq's sender alone"
ALONE, DEAD = "alone", "beside a dead host"
THREADS = 16
SHARE = 8
RATIO, P95 = 0.7, 2.0
BESIDE = 200  # deliveries to each host in the second part


def lay_out(db: Database, urls: list[str]) -> None:
    """One ended job for each URL, its callback owed."""
    for url in urls:
        job = NewJob(job_id=f"pdf_{ULID()}", code="bench", product_id="bench", callback=url, fingerprint="bench")
        jobs.submit(db, job)
        row = jobs.find(db, job.job_id)
        assert row is not None
        rounds.finish(db, row, "completed", from_status="queued", outcome=None, link="https://example.com/x")


def deliver(ours: Ours, urls: list[str], receivers: list[Receiver], counted: int) -> list[float]:
    """Seconds from the release to each POST that was received; the first `counted` suffice. Nothing is rendered."""
    before = {receiver.port: len(receiver.posts()) for receiver in receivers}
    ours.hold("pdf", "webhooks")
    lay_out(ours.db, urls)
    ours.release("webhooks")
    released = time.time()

    def received() -> int:
        return sum(len(receiver.posts()) - before[receiver.port] for receiver in receivers)

    wait_until(lambda: received() >= counted, 300, f"{counted} callbacks arrive")
    arrived = [post.time for receiver in receivers for post in receiver.posts()[before[receiver.port] :]]
    return sorted(moment - released for moment in arrived)


def _pooled(work: Callable[[str], bool], urls: list[str]) -> Figures:
    """Deliveries a second by this function in a thread pool; RuntimeError when one of them was not taken."""
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        if not all(pool.map(work, urls)):
            raise RuntimeError("a receiver did not answer 200")
    return {"per_s": len(urls) / (time.perf_counter() - began)}


def _bare(url: str) -> bool:
    """The plan's own code."""
    body = {"job_id": "pdf_bench", "status": "completed", "google_drive_link": "https://example.com/x"}
    return requests.post(url, json=body, timeout=30).ok


def _signed(sender: SignedSender, url: str) -> bool:
    """Our sender alone."""
    body = b'{"job_id":"pdf_bench","status":"completed","google_drive_link":"https://example.com/x"}'
    return sender.send(Post(url, "msg_pdf_bench_1", body)).status == 200


def main(argv: list[str]) -> int:
    """Print the figures; 1 when one of them misses its aim."""
    options = parser("webhooks", __doc__, turns=3)
    options.add_argument("--deliveries", type=int, default=600, help="callbacks in each turn (600)")
    options.add_argument("--answer", type=float, default=80.0, help="milliseconds a receiver takes to answer (80)")
    asked = options.parse_args(argv)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    settings = {
        "REPORTQ_WEBHOOK_THREADS": str(THREADS), "REPORTQ_WEBHOOK_HOST_SHARE": str(SHARE), "REPORTQ_LOG_LEVEL": "warning",
    }  # fmt: skip
    with (
        opened(render_workers=1, settings=settings) as ours,
        Receiver(ours.folder / "other") as other,
        Receiver(ours.folder / "dead") as dead,
    ):
        good = ours.stack.receiver
        for receiver in (good, other):
            receiver.script("*", {"delay": asked.answer / 1000})
        dead.script("*", {"hang": True})
        both = [receiver.url() for receiver in (good, other)] * (asked.deliveries // 2)
        sender = SignedSender([], version=VERSION, allow=AllowList.parse("127.0.0.0/8"), connections=THREADS)

        def whole_way() -> Figures:
            arrived = deliver(ours, both, [good, other], len(both))
            return {"per_s": (len(arrived) - 1) / (arrived[-1] - arrived[0])}

        def alone() -> Figures:
            return {"p95_s": percentile(deliver(ours, [good.url()] * BESIDE, [good], BESIDE), 0.95)}

        def beside() -> Figures:
            urls = [dead.url()] * BESIDE + [good.url()] * BESIDE
            arrived = deliver(ours, urls, [good], BESIDE)
            _forget(ours.db)
            return {"p95_s": percentile(arrived, 0.95)}

        deliver(ours, both[:64], [good, other], 64)  # connections, caches and compilers are warm
        ways = {BARE: partial(_pooled, _bare, both), SENDER: partial(_pooled, partial(_signed, sender), both)}
        rates = take_turns({OURS: whole_way, **ways}, asked.turns)
        sender.close()
        delays = take_turns({ALONE: alone, DEAD: beside}, asked.turns)
    rates.show(asked, f"Callbacks, {asked.turns} turns", "per_s", "Callbacks a second")
    console.print(delays.table("A good host's callbacks, alone and beside a dead host's"))
    ratio, slower = rates.ratio(OURS, BARE, "per_s"), delays.ratio(DEAD, ALONE, "p95_s")
    last_line("webhooks", ratio_vs_bare=ratio, p95_ratio_beside_dead_host=slower)
    return 0 if ratio >= RATIO and slower < P95 else 1


def _forget(db: Database) -> None:
    """What is still owed to the dead host, and its pause, so that the next turn begins as the first did."""
    db.execute("UPDATE deliveries SET status='dead' WHERE status='queued' AND host LIKE '127.0.0.1:%%'")
    left = "SELECT COUNT(*) FROM deliveries WHERE status='processing'"
    wait_until(lambda: db.scalar(left) == 0, 60, "the dead host's last callbacks time out")
    db.execute("UPDATE deliveries SET status='dead' WHERE status='queued'")
    db.execute("DELETE FROM pauses WHERE scope LIKE 'host:%%'")
    db.execute("DELETE FROM dependencies WHERE scope LIKE 'host:%%'")
