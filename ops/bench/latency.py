"""How soon an idle system begins: from the client's 202 to `processing`, one job at a time.

MariaDB, RabbitMQ, gunicorn, relay and one worker with nothing to draw, as shipped. A job begins at its row's
`attempt_started_at`. The 202 ends when the client has read it. Both are by the clock of this one host. A claim may be
written before the client has its answer. So there is `row_ms`, from the row's `requested_at`: never negative, but with
the way of the answer in it. A job is submitted after the end of the one before and a pause. Each pause has another
length, so that no poll's phase is met twice.
"""

import contextlib
import http.client
import random
import time
from datetime import UTC, datetime

from ops.bench.frame import Figures, last_line, over, parser, percentile, take_turns
from ops.bench.load import SUBMIT, ask
from ops.bench.ours import Ours, opened
from ops.servers.process import wait_until
from schema.sql.times import as_time

TARGET, MOST = 20.0, 50.0  # milliseconds
IDLE = (0.05, 0.35)  # seconds without a job before each
WARM = 20


def main(argv: list[str]) -> int:
    """Print table and figures; 1 when the median is beyond what was promised."""
    options = parser("latency", __doc__, turns=5)
    options.add_argument("--jobs", type=int, default=40, help="in each turn, one at a time (40)")
    asked = options.parse_args(argv)
    starts: list[float] = []
    with contextlib.ExitStack() as held:
        ours = held.enter_context(opened(render_workers=1, noop=True))
        client = http.client.HTTPConnection("127.0.0.1", ours.stack.port, timeout=30)
        held.callback(client.close)
        chance = random.Random(1)
        ours.hold("webhooks")  # the last job's callback is no part of an idle system

        def us() -> Figures:
            seen = [_one(ours, client, chance) for _ in range(asked.jobs)]
            starts.extend(one["start_ms"] for one in seen)
            figures = {name: percentile([one[name] for one in seen], 0.5) for name in seen[0]}
            return figures | {"p95_ms": percentile([one["start_ms"] for one in seen], 0.95)}

        for _ in range(WARM):
            _one(ours, client, chance)
        results = take_turns({"reportq": us}, asked.turns)
    title = f"202 → processing, {asked.jobs} jobs one at a time, {asked.turns} turns"
    results.show(asked, title, "start_ms", "Milliseconds from the 202 to processing")
    median = percentile(starts, 0.5)
    last_line("latency", median_ms=median, p95_ms=percentile(starts, 0.95), row_ms=results.median("reportq", "row_ms"))
    over("the median", median, TARGET, " ms")
    return 0 if median <= MOST else 1


def _one(ours: Ours, client: http.client.HTTPConnection, chance: random.Random) -> Figures:
    """One job of an idle system, in milliseconds."""
    time.sleep(chance.uniform(*IDLE))
    sent = datetime.now(UTC)
    job_id = ask(client, SUBMIT)["job_id"]
    answered = datetime.now(UTC)
    wait_until(lambda: ours.count(f"job_id='{job_id}' AND status='completed'") == 1, 30, f"{job_id} ends")
    columns = "requested_at, attempt_started_at, start_no"
    row = ours.db.fetch_one(f"SELECT {columns} FROM pdf_job_results WHERE job_id=%s", (job_id,))
    assert row is not None
    requested, started = as_time(row["requested_at"]), as_time(row["attempt_started_at"])
    if requested is None or started is None or row["start_no"] != 1:
        raise RuntimeError(f"{job_id} was not started once: {row}")
    return {
        "start_ms": (started - answered).total_seconds() * 1000,
        "row_ms": (started - requested).total_seconds() * 1000,
        "answer_ms": (answered - sent).total_seconds() * 1000,
    }
