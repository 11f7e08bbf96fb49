"""The supervised canary on the real system: it comes through, and one that does not is counted and moves no moment."""

from __future__ import annotations

import time

from middleware.meters.counters import Meters, folder_of
from ops.canary import CODE
from ops.servers.process import wait_until
from schema.metrics import table as metrics
from tests.observability.conftest import Live
from tests.observability.test_live import counted, scraped

SUCCESS = "reportq_canary_last_success_timestamp_seconds"


def runs(live: Live, result: str) -> int:
    return counted(live, "reportq_canary_runs_total", "result").get(result, 0)


def moment(live: Live) -> float:
    (sample,) = scraped(f"http://127.0.0.1:{live.stack.metrics_port}/metrics")[SUCCESS]
    return float(sample.value)


def test_a_canary_comes_through_all_that_is_real(live: Live) -> None:
    before = runs(live, "succeeded")
    with live.canary():
        wait_until(lambda: runs(live, "succeeded") >= before + 2, 90, "two canaries")
        age = f"time() - max by (instance) ({SUCCESS} > 0)"
        wait_until(lambda: 0 <= live.value(age) < 60, 30, "Prometheus knows of them")
    shown = scraped(f"http://127.0.0.1:{live.stack.metrics_port}/metrics")
    assert sum(s.value for s in shown["reportq_canary_duration_seconds_count"]) == runs(live, "succeeded")
    last = live.stack.sql("SELECT status, priority FROM pdf_job_results WHERE code=%s ORDER BY created_at", CODE)[-1]
    assert last == {"status": "completed", "priority": 9}
    owed = live.stack.sql(
        "SELECT d.status FROM deliveries d JOIN pdf_job_results j ON j.job_id=d.job_id WHERE j.code=%s", CODE
    )
    assert {row["status"] for row in owed} == {"delivered"}, "a canary on its way is ended before the program stops"


def test_a_canary_long_missed_rings_until_one_comes_through(live: Live) -> None:
    ringing = 'count(ALERTS{alertname="ReportqCanaryMissing",alertstate="firing"}) or vector(0)'
    meters = Meters(folder_of(live.stack.environment["REPORTQ_RUN_DIR"], metrics.WORKERS))
    meters.note(metrics.CANARY_SUCCESS, time.time() - 400)
    wait_until(lambda: live.value(ringing) == 1, 90, "the alert")
    with live.canary():
        wait_until(lambda: live.value(ringing) == 0, 90, "the all-clear")


def test_while_nothing_is_made_it_is_missed_and_the_moment_stays(live: Live) -> None:
    live.stack.call("POST", "/api/queues/pdf/pause", json={"why": "test"})
    try:
        with live.canary():
            late = runs(live, "too_late")
            wait_until(lambda: runs(live, "too_late") > late, 90, "a canary is missed")
            stayed = moment(live)
            wait_until(lambda: runs(live, "too_late") > late + 1, 90, "another one")
            assert moment(live) == stayed
            waiting = live.stack.sql("SELECT job_id FROM pdf_job_results WHERE code=%s AND status='queued'", CODE)
            assert len(waiting) <= 1, "those that are no longer waited for are cancelled"
            live.stack.call("POST", "/api/queues/pdf/resume", json={})
            wait_until(lambda: moment(live) > stayed, 90, "one comes through again")
    finally:
        live.stack.call("POST", "/api/queues/pdf/resume", json={})
