"""Accepted submissions a second: ours (durable in MariaDB) beside Flask + RQ, FastAPI + Celery, bare Falcon + Dramatiq.

wrk posts the plan's request over 16 connections. Everybody has two web processes and no workers. Ours run as shipped,
with relay, metrics and logs; its answers are counted as rows in SQL. A peer's 202 means: RQ, written to Redis, on
disk within a second (`--redis always`: on disk); Celery and bare Dramatiq, confirmed by RabbitMQ.

A turn is four loads, each over new connections. Chance decides how gunicorn's processes share kept connections, and one
process with all sixteen runs at half the speed.
"""

import contextlib
import statistics

from ops.bench import load
from ops.bench.frame import Contender, Figures, last_line, parser, take_turns
from ops.bench.ours import opened, peers_environ
from ops.bench.peers import programs
from ops.bench.peers.programs import PEERS
from ops.servers.redis import Redis

OURS, RQ, CELERY, BARE = "reportq", "Flask + RQ", "FastAPI + Celery", "Falcon + Dramatiq, bare"
LEAST_RQ, LEAST_BARE, P99 = 1.3, 0.9, 1.2
LOADS = 4  # in a turn


def main(argv: list[str]) -> int:
    """Print table and figures; 1 when we are slower than what was promised."""
    options = parser("accept", __doc__, turns=5)
    options.add_argument("--seconds", type=int, default=8, help="of load in each turn (8)")
    options.add_argument("--connections", type=int, default=16, help="of wrk (16)")
    options.add_argument("--redis", choices=("everysec", "always"), default="everysec", help="appendfsync of Redis")
    asked = options.parse_args(argv)
    with contextlib.ExitStack() as held:
        ours = held.enter_context(opened(render_workers=1))
        folder = ours.folder
        redis = held.enter_context(Redis(folder / "redis", durable=asked.redis == "always"))
        environ = peers_environ(ours.stack, redis)
        rq = held.enter_context(programs.gunicorn(folder, "rq", f"{PEERS}.flask_rq", environ))
        celery = held.enter_context(programs.uvicorn(folder, "celery", f"{PEERS}.fastapi_celery", environ))
        bare = held.enter_context(programs.gunicorn(folder, "bare", f"{PEERS}.falcon_dramatiq", environ))

        def post(url: str) -> Figures:
            how = {"seconds": asked.seconds / LOADS, "connections": asked.connections}
            loads = [load.submit(url, **how) for _ in range(LOADS)]
            together = {figure: statistics.fmean(one[figure] for one in loads) for figure in loads[0]}
            return {**together, "accepted": sum(one["accepted"] for one in loads)}

        def us() -> Figures:
            ours.empty()
            figures = post(f"{ours.stack.url}{load.SUBMIT}")
            written = ours.count("1=1")
            # wrk stops listening at its end: requests on their way then are written and not counted by it.
            if not 0 <= written - figures["accepted"] <= asked.connections * LOADS:
                raise RuntimeError(f"{figures['accepted']:.0f} answers, {written} rows")
            return figures

        def flask() -> Figures:
            redis.ask("FLUSHALL")
            return post(rq.url)

        def broker(queue: str, url: str) -> Contender:
            def run() -> Figures:
                with contextlib.suppress(Exception):
                    ours.stack.rabbitmq.purge(queue)
                return post(url)

            return run

        for program in ("render-0", "webhook"):
            held.enter_context(ours.stack.stopped(program))
        contenders = {OURS: us, RQ: flask}
        contenders |= {CELERY: broker("celery_bench", celery.url), BARE: broker("bare_bench", bare.url)}
        for url in (f"{ours.stack.url}{load.SUBMIT}", rq.url, celery.url, bare.url):
            load.submit(url, seconds=2, connections=asked.connections)  # threads and connections are there
        results = take_turns(contenders, asked.turns)
    title = f"Accepted requests, {asked.connections} connections, {asked.turns} turns"
    results.show(asked, title, "accepted_per_s", "Accepted requests a second")
    against_rq = results.ratio(OURS, RQ, "accepted_per_s")
    against_bare = results.ratio(OURS, BARE, "accepted_per_s")
    p99 = max(results.ratio(OURS, RQ, "p99_ms"), results.ratio(OURS, BARE, "p99_ms"))
    last_line(
        "accept", ratio_vs_rq=against_rq, ratio_vs_bare=against_bare, p99_ratio=p99,
        ratio_vs_celery=results.ratio(OURS, CELERY, "accepted_per_s"), per_s=results.median(OURS, "accepted_per_s"),
    )  # fmt: skip
    return 0 if against_rq >= LEAST_RQ and against_bare >= LEAST_BARE and p99 <= P99 else 1
