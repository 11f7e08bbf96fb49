"""What dashboards and alerts show of the real system under load is there, and is true."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from ops.servers.process import wait_until
from schema.settings import Settings
from tests.observability.conftest import Live
from tests.observability.expressions import panels

WINDOW = "15s"  # what Grafana would put for $__rate_interval at one scrape a second, and more


def shown(live: Live) -> list[str]:
    """Expressions of panels that Prometheus refuses, or that have no number now."""
    empty = []
    for board, panel in panels():
        for target in panel["targets"]:
            found = live.prometheus.query(target["expr"].replace("$__rate_interval", WINDOW))
            numbers = [float(series["value"][1]) for series in found]
            if not any(math.isfinite(number) for number in numbers) or any(number < 0 for number in numbers):
                empty.append(f"{board} / {panel['title']}: {target['expr']} → {numbers}")
    return empty


def test_every_expression_of_every_panel_has_a_number_under_load(live: Live) -> None:
    left: list[str] = []

    def all_shown() -> bool:
        left[:] = shown(live)
        return not left

    with live.load(), live.canary():
        try:
            wait_until(all_shown, 90, "all panels")
        except TimeoutError:
            raise AssertionError("\n".join(left)) from None


def rest(live: Live) -> None:
    """Until nothing is waited for any more but callbacks to the receiver that is ill."""

    def at_rest() -> bool:
        open_jobs = live.stack.sql("SELECT COUNT(*) AS n FROM pdf_job_results WHERE status IN ('queued','processing')")
        owed = live.stack.sql(
            "SELECT COUNT(*) AS n FROM deliveries WHERE status IN ('queued','processing') AND COALESCE(url,'') NOT LIKE %s",
            "%/webhook/ill",
        )
        return not open_jobs[0]["n"] and not owed[0]["n"]

    wait_until(at_rest, 60, "the system is at rest")


def truth(live: Live, statement: str) -> dict[str, int]:
    """`name → n` of a statement that selects them."""
    return {row["name"]: int(row["n"]) for row in live.stack.sql(statement)}


def scraped(url: str) -> dict[str, list[Any]]:
    """Every sample a target shows now."""
    found: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(requests.get(url, timeout=15).text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def counted(live: Live, name: str, label: str) -> dict[str, int]:
    samples = scraped(f"http://127.0.0.1:{live.stack.metrics_port}/metrics")[name]
    return {s.labels[label]: int(s.value) for s in samples if s.value}


ATTEMPTS = "SELECT outcome AS name, COUNT(*) AS n FROM attempts GROUP BY outcome"
FAILED = "SELECT error_code AS name, COUNT(*) AS n FROM dead_letters WHERE kind='job' AND status<>'discarded' GROUP BY error_code"
ENDS = "SELECT event AS name, COUNT(*) AS n FROM deliveries WHERE event<>'cancelled' GROUP BY event"


def test_counters_are_the_rows_under_many_processes(live: Live) -> None:
    live.one_of_each()
    rest(live)
    told = "SELECT COUNT(*) AS n FROM delivery_attempts WHERE outcome='delivered'"

    def counters_are_rows() -> bool:
        """All of it at once: an event is counted a moment after its commit, and the receiver that is ill is told on."""
        ends = counted(live, "reportq_jobs_ended_total", "status")
        ends.pop("cancelled", None)
        delivered = counted(live, "reportq_webhook_attempts_total", "verdict").get("delivered")
        return (
            counted(live, "reportq_attempts_total", "outcome") == truth(live, ATTEMPTS)
            and counted(live, "reportq_jobs_failed_total", "code") == truth(live, FAILED)
            and ends == truth(live, ENDS)
            and delivered == live.stack.sql(told)[0]["n"]
        )

    try:
        wait_until(counters_are_rows, 30, "counters equal the rows")
    except TimeoutError:
        raise AssertionError(
            f"{counted(live, 'reportq_attempts_total', 'outcome')} of {truth(live, ATTEMPTS)}, "
            f"{counted(live, 'reportq_jobs_failed_total', 'code')} of {truth(live, FAILED)}, "
            f"{counted(live, 'reportq_jobs_ended_total', 'status')} of {truth(live, ENDS)}"
        ) from None


def test_killed_processes_cost_at_most_a_count_each_and_gauges_are_the_truth(live: Live) -> None:
    victims = ["render-0", "webhook", "render-1", "relay", "render-0"]
    before = truth(live, ATTEMPTS)
    with live.load():
        for number, victim in enumerate(victims):
            wait_until(lambda n=number: sum(truth(live, ATTEMPTS).values()) > sum(before.values()) + 3 * n, 60, "work")
            live.stack.kill(victim)
            wait_until(lambda v=victim: live.stack.pid(v) != 0, 30, f"{victim} is started again")
    rest(live)

    def apart() -> int:
        rows, counts = truth(live, ATTEMPTS), counted(live, "reportq_attempts_total", "outcome")
        return sum(abs(rows.get(name, 0) - counts.get(name, 0)) for name in {*rows, *counts})

    wait_until(lambda: apart() <= len(victims), 30, "counters miss at most one event a kill")
    completed = counted(live, "reportq_attempts_total", "outcome")["completed"]
    assert completed <= truth(live, ATTEMPTS)["completed"]

    def gauges_are_rows() -> bool:
        """All of it at once, since the reading is up to five seconds old."""
        now = scraped(f"{live.stack.url}/metrics")
        jobs = sum(sample.value for sample in now["reportq_jobs"])
        letters = sum(sample.value for sample in now["reportq_dead_letters_open"])
        alive = {s.labels["queue"]: s.value for s in now["reportq_workers"]}
        open_letters = live.stack.sql("SELECT COUNT(*) AS n FROM dead_letters WHERE status='open'")[0]["n"]
        return jobs == 0 and letters == open_letters and alive == {"pdf": 2, "webhooks": 1}

    wait_until(gauges_are_rows, 40, "gauges equal the database's truth")
    assert all(sample.value >= 0 for samples in scraped(f"{live.stack.url}/metrics").values() for sample in samples)


def test_a_real_fault_reaches_a_person_with_the_page_that_helps(live: Live) -> None:
    """All render workers stop → Prometheus → Alertmanager → a notification that names the runbook → resolved."""
    posts = live.notified.posts

    def notified(status: str) -> bool:
        for post in posts("/page/page"):
            for alert in json.loads(post.body)["alerts"]:
                labels = alert["labels"]
                named = (labels["alertname"], labels.get("queue"), alert["status"])
                if named == ("ReportqNoWorkers", "pdf", status):
                    assert labels["severity"] == "critical"
                    assert alert["annotations"]["runbook_url"] == "ops/runbooks/ReportqNoWorkers.md"
                    assert alert["annotations"]["summary"] == "No worker serves the queue pdf"
                    return True
        return False

    with live.stack.stopped("render-0"), live.stack.stopped("render-1"):
        wait_until(lambda: notified("firing"), 90, "the notification")
    wait_until(lambda: notified("resolved"), 90, "the all-clear")


def test_scrapes_read_the_rows_at_most_once_in_a_few_seconds(live: Live) -> None:
    """Fifty scrapes in a row cause at most one reading for each API process and five seconds. A reading is recognised
    by the time that it took."""
    processes = int(live.stack.environment.get("REPORTQ_API_WORKERS", Settings().api_workers))
    began = time.monotonic()
    readings = {
        sample.value
        for _ in range(50)
        for sample in scraped(f"{live.stack.url}/metrics").get("reportq_gauges_read_seconds", ())
    }
    turns = (time.monotonic() - began) // 5 + 2
    assert 1 <= len(readings) <= processes * turns
