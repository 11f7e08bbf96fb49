"""`python -m ops.bench estimate [--limit 5]`: how far `estimated_completion` is from what happens.

A warm system with two render workers is given mixed jobs (three products, three priorities) at once. Each job is asked for
its estimate twice: by its 202, and by its status once all are submitted. The error is |estimate − end| / (end − asked).
The 202's of a low job is worse by nature: who overtakes it was not there yet. With `--limit` an upload takes a second and
Drive's double allows so many writes a second; the limit is found while the system warms up.
"""

import json
import random
import statistics
import tempfile
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from ops.bench.frame import console, parser
from ops.servers.process import wait_until
from ops.stack import ROOT, Stack

TARGET = 0.25
Asked = dict[str, tuple[datetime, str | None]]  # job id → when it was asked for its estimate, and what it said


def main(argv: list[str]) -> int:
    """Print the median error; 0 when it is under 25 %."""
    asking = parser("estimate", __doc__)
    asking.add_argument("--jobs", type=int, default=200)
    asking.add_argument("--warm", type=int, default=60, help="jobs before the measured ones")
    asking.add_argument("--seed", type=int, default=1)
    asking.add_argument("--limit", type=float, help="writes a second that Drive allows; an upload takes 1 s (none)")
    options = asking.parse_args(argv)
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="reportq-bench-") as folder, Stack(folder) as stack:
        samples = _samples(stack)
        if options.limit:
            stack.drive.pace(latency=1.0, writes=options.limit, burst=10)
        _submit(stack, samples, options.warm, chance)
        wait_until(lambda: _open(stack) == 0, 180, "the system is warm")
        asked = _submit(stack, samples, options.jobs, chance)
        later = {job_id: (datetime.now(UTC), stack.job(job_id)["estimated_completion"]) for job_id in asked}
        wait_until(lambda: _open(stack) == 0, 300, "all jobs end")
        rows = stack.sql("SELECT job_id, priority, ended_at FROM pdf_job_results")
    ends = {row["job_id"]: row["ended_at"].replace(tzinfo=UTC) for row in rows}
    priorities = {row["job_id"]: int(row["priority"]) for row in rows}
    first, second = _errors(asked, ends), _errors(later, ends)
    table = Table("estimate of", "by the 202", "by its status", "jobs", title="median error", title_justify="left")
    for name, rank in (("high", 9), ("normal", 5), ("low", 0), ("all", None)):
        ids = [job_id for job_id in asked if rank is None or priorities[job_id] == rank]
        known = [[errors[job_id] for job_id in ids if job_id in errors] for errors in (first, second)]
        shown = (f"{statistics.median(some):.0%}" if some else "–" for some in known)
        table.add_row(name, *shown, str(len(ids)))
    console.print(table)
    median, at_submission = statistics.median(second.values()), statistics.median(first.values())
    print(f"estimate median_error={median:.3f} at_submission={at_submission:.3f} jobs={len(second)}")
    return 0 if median < TARGET else 1


def _samples(stack: Stack) -> list[tuple[str, str]]:
    pairs = []
    for path in sorted((ROOT / "actors" / "pdf" / "templates").glob("*/sample.json")):
        stack.save_report("sample", path.parent.name, json.loads(path.read_text()))
        pairs.append(("sample", path.parent.name))
    return pairs


def _submit(stack: Stack, samples: list[tuple[str, str]], count: int, chance: random.Random) -> Asked:
    asked: Asked = {}
    for _ in range(count):
        code, product = chance.choice(samples)
        priority = chance.choices(["high", "normal", "low"], [1, 6, 3])[0]
        body = {"code": code, "productId": product, "priority": priority}
        answer: dict[str, Any] = stack.call("POST", "/api/reports/generate-async", json=body).json()
        asked[answer["job_id"]] = (datetime.now(UTC), answer["estimated_completion"])
    return asked


def _open(stack: Stack) -> int:
    return int(stack.sql("SELECT COUNT(*) AS n FROM pdf_job_results WHERE status IN ('queued','processing')")[0]["n"])


def _errors(asked: Asked, ends: dict[str, datetime]) -> dict[str, float]:
    """The error of each estimate, without jobs that had ended before they were asked for it."""
    found = {}
    for job_id, (at, estimate) in asked.items():
        left = (ends[job_id] - at).total_seconds()
        if estimate is not None and left > 0:
            wrong = abs((datetime.fromisoformat(estimate) - ends[job_id]).total_seconds())
            found[job_id] = wrong / max(0.001, left)
    return found
