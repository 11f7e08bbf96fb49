"""Priority, promotion and prefetch on real RabbitMQ (DESIGN §2.8, §5), with a renderer that only takes time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.servers.process import wait_until
from ops.stack import Stack

pytestmark = pytest.mark.timeout(240)
PROMOTED = 3.0  # seconds after which the second stack promotes


def stack_of(folder: Path, workers: int, **settings: str) -> Stack:
    return Stack(
        folder,
        render_workers=workers,
        drive=False,
        settings={"REPORTQ_MAX_QUEUE_SIZE": "1000", **settings},
        modules={"actors.worker": "tests.e2e.slow_worker"},
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack_of(tmp_path_factory.mktemp("two"), 2) as stack:
        yield stack


@pytest.fixture(scope="module")
def promoting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack_of(tmp_path_factory.mktemp("promoting"), 1, REPORTQ_PROMOTE_AFTER=str(PROMOTED)) as stack:
        yield stack


def submit_many(stack: Stack, count: int, priority: str, seconds: float) -> list[str]:
    """Jobs of one batch, whose rows are those of single submissions; a batch has 500 at most."""
    one = {"code": "x", "productId": "slow", "priority": priority, "data": {"seconds": seconds}}
    answer = stack.call("POST", "/api/reports/batch", json={"jobs": [one] * count})
    assert answer.status_code == 202, answer.text
    return [job["job_id"] for job in answer.json()["jobs"]]


def drop(stack: Stack) -> None:
    """Cancel whatever is left, so that the next load finds nobody."""
    for row in stack.sql("SELECT batch_id FROM batches WHERE ended_at IS NULL"):
        stack.call("POST", f"/api/batches/{row['batch_id']}/cancel")
    left = "SELECT COUNT(*) AS n FROM pdf_job_results WHERE status IN ('queued','processing')"
    wait_until(lambda: stack.sql(left)[0]["n"] == 0, 60, "nothing is left")


def started(stack: Stack, job_id: str) -> bool:
    return bool(stack.sql("SELECT start_no FROM pdf_job_results WHERE job_id=%s", job_id)[0]["start_no"])


def starts(stack: Stack) -> list[dict[str, Any]]:
    return stack.sql("SELECT job_id, priority FROM pdf_job_results WHERE start_no>0 ORDER BY started_at, job_id")


def hold_one(stack: Stack) -> str:
    """A job that keeps one of two workers busy until it is cancelled."""
    (long,) = submit_many(stack, 1, "normal", 200)
    wait_until(lambda: started(stack, long), 20, "the long job starts")
    return long


def test_nothing_waits_behind_a_long_job(two: Stack) -> None:
    long = hold_one(two)
    short = submit_many(two, 20, "normal", 0.05)
    for job_id in short:
        two.wait_ended(job_id, 30)
    assert two.job(long)["status"] == "processing"
    drop(two)


def test_a_high_job_behind_a_thousand_normal_ones_is_the_next_to_start(two: Stack) -> None:
    hold_one(two)
    for _ in range(2):
        submit_many(two, 500, "normal", 2.0)
    published = "SELECT COUNT(*) AS n FROM pdf_job_results WHERE published_at IS NOT NULL"
    wait_until(lambda: two.sql(published)[0]["n"] > 900, 60, "the window is full")
    # Submitted while a job has just begun, so that at most that one is ahead.
    before = len(starts(two))
    wait_until(lambda: len(starts(two)) > before, 20, "a job starts")
    high = two.submit(code="x", productId="slow", priority="high", data={"seconds": 0.05})
    running = starts(two)[-1]["job_id"]
    wait_until(lambda: started(two, high), 20, "the high job starts")
    order = [row["job_id"] for row in starts(two)]
    assert order[order.index(running) + 1 :][:2].count(high) == 1
    assert order.index(high) - order.index(running) == 1


def waiting(stack: Stack) -> int:
    return int(stack.sql("SELECT COUNT(*) AS n FROM pdf_job_results WHERE status='queued'")[0]["n"])


@pytest.mark.parametrize("load", ["normal", "high"])
def test_a_low_job_under_endless_load_starts_soon_after_its_promotion(promoting: Stack, load: str) -> None:
    submit_many(promoting, 10, load, 0.3)  # some seconds of work ahead: a slow machine must not run dry
    low = promoting.submit(code="x", productId="slow", priority="low", data={"seconds": 0.05})
    began = time.monotonic()
    while not started(promoting, low) and time.monotonic() - began < 60:
        if waiting(promoting) < 20:
            submit_many(promoting, 15, load, 0.3)
    row = promoting.sql(
        "SELECT TIMESTAMPDIFF(MICROSECOND, requested_at, started_at)/1000000 AS waited FROM pdf_job_results WHERE job_id=%s",
        low,
    )[0]
    assert row["waited"] is not None, "it never started"
    assert PROMOTED - 0.1 < float(row["waited"]) < 40, json.dumps(row, default=str)
    drop(promoting)
