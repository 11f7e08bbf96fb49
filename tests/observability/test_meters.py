"""Counters of many processes: what is counted stays counted, whoever dies, and nothing is counted twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from middleware.exposition import FileCollector, serve
from middleware.metrics import Meters
from ops.servers.process import free_port
from schema import metrics
from schema.metrics import HISTOGRAM, TABLE

ROOT = Path(__file__).resolve().parents[2]
COUNTING = """
import sys, time
from pathlib import Path
from middleware.metrics import Meters
from schema import metrics
meters = Meters(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    meters.count(metrics.ATTEMPTS, outcome="completed")
    meters.observe(metrics.QUEUE_WAIT, 0.2, priority="high")
print("counted", flush=True)
time.sleep(600)
"""


def value(folder: Path, sample: str, **labels: str) -> float:
    """One sample as it would be scraped."""
    for family in FileCollector(folder, (metrics.API, metrics.WORKERS)).collect():
        for one in family.samples:
            if one.name == sample and dict(one.labels) == labels:
                return float(one.value)
    raise AssertionError(f"{sample}{labels} is not shown")


def counting(folder: Path, times: int) -> subprocess.Popen[str]:
    """A process that has counted so often, and lives."""
    process = subprocess.Popen(
        [sys.executable, "-c", COUNTING, str(folder), str(times)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "counted\n"
    return process


def kill(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.kill()
        process.communicate()


def test_processes_add_up_and_killed_ones_keep_their_counts(tmp_path: Path) -> None:
    first, second = counting(tmp_path, 5), counting(tmp_path, 7)
    assert value(tmp_path, "reportq_attempts_total", outcome="completed") == 12
    kill(first, second)
    assert value(tmp_path, "reportq_attempts_total", outcome="completed") == 12


def test_whoever_comes_after_a_dead_process_counts_on_in_its_file(tmp_path: Path) -> None:
    for _ in range(3):
        kill(counting(tmp_path, 10))
    assert value(tmp_path, "reportq_attempts_total", outcome="completed") == 30
    assert value(tmp_path, "reportq_job_queue_wait_seconds_count", priority="high") == 30
    assert value(tmp_path, "reportq_job_queue_wait_seconds_bucket", priority="high", le="0.25") == 30
    assert len(list(tmp_path.glob("counter_*.db"))) == 1


def test_two_living_processes_never_share_a_file(tmp_path: Path) -> None:
    living = [counting(tmp_path, 1) for _ in range(3)]
    assert len(list(tmp_path.glob("counter_*.db"))) == 3
    kill(*living)


def test_a_fork_opens_files_of_its_own(tmp_path: Path) -> None:
    meters = Meters(tmp_path)
    meters.count(metrics.ATTEMPTS, outcome="failed")
    child = os.fork()
    if child == 0:
        meters.count(metrics.ATTEMPTS, outcome="failed")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    meters.count(metrics.ATTEMPTS, outcome="failed")
    assert value(tmp_path, "reportq_attempts_total", outcome="failed") == 3


def test_of_a_moment_the_latest_note_of_all_processes_is_shown(tmp_path: Path) -> None:
    first, second = Meters(tmp_path), Meters(tmp_path)
    assert value(tmp_path, "reportq_canary_last_success_timestamp_seconds") == 0
    first.note(metrics.CANARY_SUCCESS, 1700000000.0)
    second.note(metrics.CANARY_SUCCESS, 1600000000.0)
    assert value(tmp_path, "reportq_canary_last_success_timestamp_seconds") == 1600000000.0
    kill(counting(tmp_path, 1))
    first.note(metrics.CANARY_SUCCESS, 0)
    assert value(tmp_path, "reportq_canary_last_success_timestamp_seconds") == 0


def test_a_torn_file_costs_its_counts_and_nothing_else(tmp_path: Path) -> None:
    kill(counting(tmp_path, 3))
    torn = tmp_path / "counter_0.db"
    torn.write_bytes(b"\xff\x7f\x00\x00\x00\x00\x00\x00" + b"\xff" * 500)
    assert value(tmp_path, "reportq_attempts_total", outcome="completed") == 0  # the others are still shown
    Meters(tmp_path).count(metrics.ATTEMPTS, outcome="completed")
    assert value(tmp_path, "reportq_attempts_total", outcome="completed") == 1


def test_only_what_is_declared_can_be_emitted(tmp_path: Path) -> None:
    meters = Meters(tmp_path)
    with pytest.raises(ValueError, match="not declared as a counter"):
        meters.count(metrics.QUEUE_WAIT, priority="high")
    with pytest.raises(ValueError, match="not declared as a counter"):
        meters.count(metrics.REPLAYED, what="job")
    with pytest.raises(ValueError, match="has the labels"):
        meters.count(metrics.ATTEMPTS, outcome="failed", job_id="pdf_1")
    with pytest.raises(KeyError):
        meters.count(metrics.ATTEMPTS, job_id="pdf_1")


def test_a_full_disk_does_not_fail_a_job(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("a file where the folder should be")
    Meters(tmp_path / "metrics").count(metrics.ATTEMPTS, outcome="failed")


def test_series_with_known_labels_are_there_before_anything_happened(tmp_path: Path) -> None:
    assert value(tmp_path, "reportq_job_end_to_end_seconds_count", priority="low", status="failed") == 0
    assert value(tmp_path, "reportq_job_end_to_end_seconds_bucket", priority="low", status="failed", le="900.0") == 0
    assert value(tmp_path, "reportq_callbacks_stopped_total", code="webhook_gone") == 0


def test_the_table_keeps_to_the_conventions() -> None:
    allowed = ("_total", "_seconds", "_bytes", "_info")
    plain = {"reportq_jobs", "reportq_deliveries", "reportq_rows_due", "reportq_hints_outstanding", "reportq_accepting",
             "reportq_dead_letters_open", "reportq_workers", "reportq_worker_threads", "reportq_worker_threads_busy",
             "reportq_paused", "reportq_dependency_up"}  # fmt: skip
    private = {"job", "job_id", "code_name", "product", "product_id", "url", "host", "owner", "worker_id", "person"}
    for metric in TABLE.values():
        assert metric.name in plain or metric.name.endswith(allowed), metric.name
        assert metric.help.endswith("."), metric.name
        assert (metric.kind == HISTOGRAM) == bool(metric.buckets), metric.name
        assert not private & set(metric.labels), metric.name
    for priority, target in metrics.TARGETS.items():
        assert target in metrics.END_TO_END.buckets, priority


def test_exceptions_without_a_code_of_ours_become_internal_errors() -> None:
    assert metrics.code_label("drive_unavailable") == "drive_unavailable"
    assert metrics.code_label("TimeLimitExceeded") == "timeout"
    assert metrics.code_label("ZeroDivisionError") == "internal_error"
    assert metrics.code_label(None) == ""


def test_the_target_of_the_workers_shows_what_was_counted(tmp_path: Path) -> None:
    port = free_port()
    server = serve(tmp_path, "127.0.0.1", port)
    meters = Meters(tmp_path)
    try:
        meters.count(metrics.WORKER_STARTS, queue="pdf")
        text = urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        assert serve(tmp_path, "127.0.0.1", port) is None  # a second relay on the host goes without
    finally:
        server.shutdown()
        server.server_close()
    shown = {family.name: family for family in text_string_to_metric_families(text)}
    assert {s.value for s in shown["reportq_worker_starts"].samples if s.labels == {"queue": "pdf"}} == {1.0}
    assert "reportq_submissions" not in shown
