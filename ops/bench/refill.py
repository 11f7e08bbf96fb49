"""After an outage 100,000 jobs wait: does the broker ever run dry while no-op workers drain it?

The rows are laid out while the queue is held, then it is released. Watching begins with the first messages in RabbitMQ.
It ends when the rows run out, or after so many seconds. Every 50 ms the broker is asked how many messages are ready, by
a passive declare on a connection of its own. The database is asked how many rows are published and unclaimed (DESIGN
§2.8). In a sample with no message ready, a worker that asks gets nothing.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ops.bench.frame import Figures, Results, canvas, console, last_line, parser, percentile
from ops.bench.ours import Ours, opened
from ops.servers.process import wait_until
from schema.rows import outbox

EVERY = 0.05  # seconds between samples


@dataclass
class Samples:
    """What was seen of the window."""

    ready: list[int] = field(default_factory=list)
    published: list[int] = field(default_factory=list)
    at: list[float] = field(default_factory=list)


def main(argv: list[str]) -> int:
    """Print the table; 1 when the window was seen empty."""
    options = parser("refill", __doc__, turns=1)
    options.add_argument("--rows", type=int, default=100_000, help="that wait (100,000)")
    options.add_argument("--seconds", type=float, default=60.0, help="of draining that are watched (60)")
    options.add_argument("--workers", type=int, nargs="+", default=[2, 5], help="no-op render processes (2 5)")
    asked = options.parse_args(argv)
    results, drawn = Results(), {}
    most = max(asked.workers)
    with contextlib.ExitStack() as held:
        ours = held.enter_context(opened(render_workers=most, noop=True))
        channel = held.enter_context(ours.stack.rabbitmq.channel())

        def ready() -> int:
            return int(channel.queue_declare("pdf", passive=True).method.message_count)

        ours.hold("pdf", "webhooks")
        for _ in range(asked.turns):
            for workers in asked.workers:
                with contextlib.ExitStack() as fewer:
                    for number in range(workers, most):
                        fewer.enter_context(ours.stack.stopped(f"render-{number}"))
                    figures, samples = _drain(ours, ready, asked.rows, asked.seconds)
                results.add(f"{workers} workers", figures)
                drawn[workers] = samples
    console.print(results.table(f"{asked.rows:,} waiting rows, {asked.turns} turns"))
    if asked.plot:
        _plot(asked.plot, drawn)
    empty = sum(sum(results.values(who, "empty_samples")) for who in results.turns)
    last_line(
        "refill",
        empty_samples=empty,
        least_window=min(min(results.values(who, "least_window")) for who in results.turns),
        per_s=results.median(f"{most} workers", "jobs_per_s"),
        workers=most,
    )
    return 1 if empty else 0


def _drain(ours: Ours, ready: Callable[[], int], rows: int, seconds: float) -> tuple[Figures, Samples]:
    """Fill, release, watch."""
    ours.hold("pdf")
    ours.empty()
    ours.lay_out(rows)
    seen = Samples()
    ours.release("pdf")
    wait_until(lambda: ready() > 0, 30, "the first hints lie in the broker")
    began, done = time.perf_counter(), ours.count("status='completed'")
    while (passed := time.perf_counter() - began) < seconds:
        # Asked first: rows that ran out after the broker was asked excuse nothing.
        due = ours.db.scalar("SELECT 1 FROM pdf_job_results WHERE status='queued' AND published_at IS NULL LIMIT 1")
        if due is None:
            break
        seen.at.append(passed)
        seen.ready.append(ready())
        seen.published.append(outbox.JOBS.published(ours.db))
        time.sleep(max(0.0, began + len(seen.at) * EVERY - time.perf_counter()))
    per_second = (ours.count("status='completed'") - done) / passed
    ours.hold("pdf")
    if len(seen.at) < 20:
        raise RuntimeError(f"only {len(seen.at)} samples: more rows are needed")
    figures = {
        "samples": float(len(seen.at)),
        "empty_samples": float(seen.ready.count(0)),
        "least_window": float(min(seen.ready)),
        "p5_window": percentile(seen.ready, 0.05),
        "median_window": percentile(seen.ready, 0.5),
        "least_published": float(min(seen.published)),
        "jobs_per_s": per_second,
    }
    return figures, seen


def _plot(path: Path, drawn: dict[int, Samples]) -> None:
    """Ready messages over time, one line a number of workers."""
    axes, save = canvas(path, "Messages ready in the broker while workers drain", height=3.2)
    for workers, seen in drawn.items():
        axes.plot(seen.at, seen.ready, linewidth=0.8, label=f"{workers} workers")
    axes.set_xlabel("seconds")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    save()
