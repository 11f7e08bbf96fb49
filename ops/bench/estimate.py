"""`python -m ops.bench estimate [--limit 5]`: how far `estimated_completion` is from what happens.

A warm system with two render workers is given mixed jobs (three products, three priorities) at once. Each job is asked for
its estimate twice: by its 202, and by its status once all are submitted. The error is |estimate − end| / (end − asked).
The 202's of a low job is worse by nature: who overtakes it was not there yet. With `--limit` an upload takes a second and
Drive's double allows so many writes a second; the limit is found while the system warms up.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from ops.bench.frame import console
from ops.servers.process import wait_until
from ops.stack import ROOT, Stack

TARGET = 0.25


def main(argv: list[str]) -> int:
    """Print the median error; 0 when it is under 25 %."""
    parser = argparse.ArgumentParser(prog="python -m ops.bench estimate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--warm", type=int, default=60, help="jobs before the measured ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, help="writes a second that Drive allows; an upload takes 1 s (none)")
    options = parser.parse_args(argv)
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="reportq-bench-") as folder, Stack(folder) as stack:
        samples = _samples(stack)
        if options.limit:
            stack.drive.pace(latency=1.0, writes=options.limit, burst=10)
        _submit(stack, samples, options.warm, chance)
        wait_until(lambda: _open(stack) == 0, 180, "the system is warm")
        asked = _submit(stack, samples, options.jobs, chance)
        later = {job_id: (_now(), stack.job(job_id)["estimated_completion"]) for job_id in asked}
        wait_until(lambda: _open(stack) == 0, 300, "all jobs end")
        rows = stack.sql("SELECT job_id, priority, ended_at FROM pdf_job_results")
    ends = {row["job_id"]: row["ended_at"].replace(tzinfo=UTC) for row in rows}
    priorities = {row["job_id"]: int(row["priority"]) for row in rows}
    first = {job_id: _error(*asked[job_id], ends[job_id]) for job_id in asked}
    second = {job_id: _error(*later[job_id], ends[job_id]) for job_id in later}
    table = Table("estimate of", "by the 202", "by its status", "jobs", title="median error", title_justify="left")
    for name, rank in (("high", 9), ("normal", 5), ("low", 0), ("all", None)):
        ids = [job_id for job_id in asked if rank is None or priorities[job_id] == rank]
        table.add_row(name, _median(first, ids), _median(second, ids), str(len(ids)))
    console.print(table)
    known = [error for error in second.values() if error is not None]
    median = statistics.median(known)
    print(f"estimate median_error={median:.3f} at_submission={_number(first):.3f} jobs={len(known)}")
    return 0 if median < TARGET else 1


def _samples(stack: Stack) -> list[tuple[str, str]]:
    pairs = []
    for path in sorted(Path(ROOT / "actors" / "pdf" / "templates").glob("*/sample.json")):
        stack.save_report("sample", path.parent.name, json.loads(path.read_text()))
        pairs.append(("sample", path.parent.name))
    return pairs


def _submit(
    stack: Stack, samples: list[tuple[str, str]], count: int, chance: random.Random
) -> dict[str, tuple[datetime, str | None]]:
    asked = {}
    for _ in range(count):
        code, product = chance.choice(samples)
        priority = chance.choices(["high", "normal", "low"], [1, 6, 3])[0]
        body = {"code": code, "productId": product, "priority": priority}
        answer: dict[str, Any] = stack.call("POST", "/api/reports/generate-async", json=body).json()
        asked[answer["job_id"]] = (_now(), answer["estimated_completion"])
    return asked


def _open(stack: Stack) -> int:
    return int(stack.sql("SELECT COUNT(*) AS n FROM pdf_job_results WHERE status IN ('queued','processing')")[0]["n"])


def _now() -> datetime:
    return datetime.now(UTC)


def _error(asked: datetime, estimate: str | None, end: datetime) -> float | None:
    """None when the job had ended before it was asked."""
    if estimate is None or end <= asked:
        return None
    return abs((datetime.fromisoformat(estimate) - end).total_seconds()) / max(0.001, (end - asked).total_seconds())


def _number(errors: dict[str, float | None]) -> float:
    return statistics.median(error for error in errors.values() if error is not None)


def _median(errors: dict[str, float | None], ids: list[str]) -> str:
    known = [errors[job_id] for job_id in ids if errors[job_id] is not None]
    return f"{statistics.median(known):.0%}" if known else "–"  # type: ignore[type-var]
