"""Counters of many processes: what is counted stays counted, whoever dies, and nothing is counted twice."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

import middleware.meters.counters
from middleware.meters.counters import Meters
from middleware.meters.exposition import FileCollector, serve
from middleware.meters.value_file import ValueFile
from ops.servers.process import free_port, wait_until
from ops.servers.small_disk import SmallDisk
from schema.metrics import labels
from schema.metrics import table as metrics
from schema.metrics.table import HISTOGRAM, TABLE

ROOT = Path(__file__).resolve().parents[2]
COUNTING = """
import sys, time
from pathlib import Path
from middleware.meters.counters import Meters
from schema.metrics import labels
from schema.metrics import table as metrics
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


BESIDE_A_FULL_DISK = """
import sys, threading, time
from pathlib import Path
import structlog
from middleware.meters.counters import Meters
import middleware.meters.counters
from ops.servers.small_disk import SmallDisk
from schema.metrics import labels
from schema.metrics import table as metrics
middleware.meters.counters.AGAIN = 0.05
disk, before, leave = SmallDisk(sys.argv[1], 0), int(sys.argv[2]), int(sys.argv[3])
meters = Meters(disk.folder / "metrics")
def count(times):
    for n in range(times):
        meters.count(metrics.ATTEMPTS, outcome="completed")
        for priority in labels.TARGETS:
            meters.observe(metrics.QUEUE_WAIT, 0.2, priority=priority)
        for code in labels.JOB_CODES:
            meters.count(metrics.FAILURES, code=code)
count(before)
disk.fill(leave)
for _ in range(10):
    count(10)
    time.sleep(0.06)
print("counted", flush=True)
sys.stdin.readline()
while meters._behind():
    time.sleep(0.01)
print("counted", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("leave", [0, 4096, 8192])
def test_a_full_disk_kills_nobody_and_what_was_counted_meanwhile_is_written_later(
    small_disk: Callable[..., SmallDisk], before: int, leave: int
) -> None:
    """Before the first file, in its middle, or once it is there: a mapped file would be a SIGBUS in each case."""
    disk = small_disk(1 << 20)
    process = subprocess.Popen(
        [sys.executable, "-c", BESIDE_A_FULL_DISK, str(disk.folder), str(before), str(leave)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    said = []
    while (line := process.stdout.readline()) not in ("counted\n", ""):
        said.append(line)
    disk.free()
    process.stdin.write("\n")
    process.stdin.flush()
    while (line := process.stdout.readline()) not in ("counted\n", ""):
        said.append(line)
    everything = value(disk.folder / "metrics", "reportq_attempts_total", outcome="completed")
    process.communicate("\n")
    assert process.returncode == 0
    assert everything == before + 100
    assert len([line for line in said if "metrics.not_written" in line and str(disk.folder) in line]) <= 1, said


def test_what_is_refused_while_the_writer_of_the_rest_ends_is_written_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware.meters.counters, "AGAIN", 0.02)
    write, recovered, refuses, came = ValueFile._write, Meters._recovered, threading.Event(), threading.Event()

    def refused(file: ValueFile, first: int, last: int) -> None:
        if refuses.is_set():
            raise OSError(errno.ENOSPC, "full")
        write(file, first, last)

    def full_once_more(meters: Meters) -> None:
        recovered(meters)
        if threading.current_thread().name == "metrics" and not came.is_set():
            refuses.set()
            meters.count(metrics.ATTEMPTS, outcome="completed")
            refuses.clear()
            came.set()

    monkeypatch.setattr(ValueFile, "_write", refused)
    monkeypatch.setattr(Meters, "_recovered", full_once_more)
    meters = Meters(tmp_path)
    refuses.set()
    meters.count(metrics.ATTEMPTS, outcome="completed")
    refuses.clear()
    assert came.wait(20)
    wait_until(lambda: not meters._behind(), 20, "both are written")
    assert value(tmp_path, "reportq_attempts_total", outcome="completed") == 2


def test_what_a_full_disk_has_refused_is_told_once_with_its_folder(small_disk: Callable[..., SmallDisk]) -> None:
    disk = small_disk(1 << 20)
    disk.fill()
    with capture_logs() as logs:
        meters = Meters(disk.folder / "metrics")
        for _ in range(50):
            meters.count(metrics.ATTEMPTS, outcome="failed")
    told = [entry for entry in logs if entry["event"] == "metrics.not_written"]
    assert [(entry["folder"], entry["error"]) for entry in told] == [
        (str(disk.folder / "metrics"), "No space left on device")
    ]


def test_where_not_even_a_file_can_be_made_counting_begins_once_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware.meters.counters, "AGAIN", 0.0)
    (tmp_path / "run").write_text("a file where the folder should be")
    meters = Meters(tmp_path / "run" / "metrics")
    with capture_logs() as logs:
        for _ in range(3):
            meters.count(metrics.ATTEMPTS, outcome="failed")
        (tmp_path / "run").unlink()
        for _ in range(3):
            meters.count(metrics.ATTEMPTS, outcome="failed")
    assert [entry["event"] for entry in logs] == ["metrics.not_written", "metrics.written_again"]
    assert value(tmp_path / "run" / "metrics", "reportq_attempts_total", outcome="failed") == 3


def test_a_file_that_somebody_truncates_under_a_process_kills_nobody(tmp_path: Path) -> None:
    meters = Meters(tmp_path)
    meters.count(metrics.ATTEMPTS, outcome="failed")
    for file in tmp_path.glob("*.db"):
        os.truncate(file, 0)
    meters.count(metrics.ATTEMPTS, outcome="failed")
    value(tmp_path, "reportq_attempts_total", outcome="failed")  # and the others' are still shown


def test_threads_that_count_while_the_process_ends_do_no_harm(tmp_path: Path) -> None:
    code = COUNTING.partition("for _ in")[0] + (
        "import threading, atexit\n"
        "def forever():\n"
        "    while True:\n"
        "        meters.count(metrics.ATTEMPTS, outcome='completed')\n"
        "        meters.observe(metrics.QUEUE_WAIT, 0.2, priority='high')\n"
        "meters.count(metrics.ATTEMPTS, outcome='completed')\n"
        "atexit.register(time.sleep, 0.2)\n"  # the interpreter's end, with threads still at work
        "for _ in range(4): threading.Thread(target=forever, daemon=True).start()\n"
    )
    for _ in range(5):
        ended = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=ROOT, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, "")


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
             "reportq_paused", "reportq_dependency_up", "reportq_store_waiting",
             "reportq_store_pace_writes_per_second", "reportq_fact"}  # fmt: skip
    private = {"job", "job_id", "code_name", "product", "product_id", "url", "host", "owner", "worker_id", "person"}
    for metric in TABLE.values():
        assert metric.name in plain or metric.name.endswith(allowed), metric.name
        assert metric.help.endswith("."), metric.name
        assert (metric.kind == HISTOGRAM) == bool(metric.buckets), metric.name
        assert not private & set(metric.labels), metric.name
    for priority, target in labels.TARGETS.items():
        assert target in metrics.END_TO_END.buckets, priority


def test_exceptions_without_a_code_of_ours_become_internal_errors() -> None:
    assert labels.code_label("drive_unavailable") == "drive_unavailable"
    assert labels.code_label("TimeLimitExceeded") == "timeout"
    assert labels.code_label("ZeroDivisionError") == "internal_error"
    assert labels.code_label(None) == ""


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
