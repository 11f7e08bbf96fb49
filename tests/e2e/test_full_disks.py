"""Full disks: the service goes on without what they would have held, or waits for room; nobody dies and no try is burnt."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from ops.demo import Api
from ops.sample_report import PRODUCT, SAMPLE
from ops.servers.process import free_port, wait_until
from ops.servers.small_disk import SmallDisk
from ops.stack import Stack
from tests.embedded import own

pytestmark = pytest.mark.timeout(240)
DATA = json.loads(SAMPLE.read_text())
REPORTS = 24  # three for each thread of the API


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Callable[..., Api]]:
    """Starts the embedded default with folders of the test's own."""
    with ExitStack() as running:

        def start(**settings: str) -> Api:
            port = free_port()
            environ = own(tmp_path, port, **{"REPORTQ_CONCURRENT_WORKERS": "1", **settings})
            return running.enter_context(Api(tmp_path / "api", port, environ))

        yield start


def submit(url: str, number: int) -> str:
    body = {"code": f"K{number}", "productId": PRODUCT, "data": DATA}
    answer = requests.post(f"{url}/api/reports/generate-async", json=body, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def jobs(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{url}/api/jobs?limit=100", timeout=30).json()["jobs"]
    return found


def wait_completed(url: str, count: int) -> None:
    def ended() -> bool:
        return not any(job["status"] in ("queued", "processing") for job in jobs(url))

    wait_until(ended, 150, f"{count} jobs end")
    assert [job["status"] for job in jobs(url)] == ["completed"] * count


@pytest.mark.parametrize("when", ["before the start", "after the start"])
def test_a_full_run_folder_leaves_no_request_without_an_answer(
    embedded: Callable[..., Api], small_disk: Callable[..., SmallDisk], when: str
) -> None:
    disk = small_disk(1 << 20)
    if when == "before the start":
        disk.fill()
    api = embedded(REPORTQ_RUN_DIR=str(disk.folder))
    disk.fill()
    with ThreadPoolExecutor(8) as pool:
        accepted = list(pool.map(lambda number: submit(api.url, number), range(REPORTS)))
    wait_completed(api.url, REPORTS)
    assert len(set(accepted)) == REPORTS
    assert requests.get(f"{api.url}/metrics", timeout=30).status_code == 200
    log = api.log.read_text()
    assert log.count("Booting worker") == 1
    assert log.count("metrics.not_written") == 1
    if when == "before the start":
        assert f"The run folder {disk.folder} cannot be written (No space left on device)" in log
    disk.free()
    wait_until(
        lambda: bool(submit(api.url, REPORTS)) and "metrics.written_again" in api.log.read_text(),
        30,
        "metrics are kept again",
    )


def test_a_nearly_full_pdf_folder_pauses_and_burns_nothing(
    embedded: Callable[..., Api], small_disk: Callable[..., SmallDisk]
) -> None:
    """Room for a probe of some bytes, none for a PDF."""
    disk = small_disk(4 << 20, "pdfs")
    disk.fill(leave=20_000)
    api = embedded(
        REPORTQ_ARTIFACTS_URL=f"file:{disk.folder}",
        REPORTQ_PROBE_EVERY="0.2",
        REPORTQ_SWEEP="0.1",
        REPORTQ_SWITCH_POLL="0.1",
    )
    for number in range(19):
        submit(api.url, number)
    wait_until(lambda: api.log.read_text().count("dependency.still_down") > 25, 90, "the prober asks in vain")
    assert {job["status"] for job in jobs(api.url)} == {"queued"}
    assert "dependency.is_back" not in api.log.read_text()
    disk.free()
    wait_completed(api.url, 19)
    for job in jobs(api.url):
        attempts = requests.get(f"{api.url}/api/jobs/{job['job_id']}", timeout=30).json()["attempts"]
        assert {attempt["outcome"] for attempt in attempts} <= {"returned", "completed"}
        assert len(attempts) < 10


def test_productions_processes_outlive_a_full_run_folder(tmp_path: Path) -> None:
    """Supervisor's own files lie there too: its socket, process id and everybody's logs."""
    with SmallDisk(tmp_path / "stack" / "run", 2 << 20) as disk:
        disk.fill()
        with Stack(tmp_path / "stack") as stack:
            stack.save_report("A1", PRODUCT, DATA)
            first = stack.submit(productId=PRODUCT)
            assert stack.wait_ended(first)["status"] == "completed"
            disk.free()
            stack.submit(productId=PRODUCT)
            disk.fill()
            pids = {name: stack.pid(name) for name in stack.names()}
            for job_id in [stack.submit(productId=PRODUCT) for _ in range(20)]:
                assert stack.wait_ended(job_id)["status"] == "completed"
            stack.kill("webhook")
            stack.kill("render-0")
            assert stack.wait_ended(stack.submit(productId=PRODUCT))["status"] == "completed"
            left = {name: pid for name, pid in pids.items() if stack.pid(name) == pid}
            assert set(pids) - set(left) <= {"webhook", "render-0"}
            assert stack.sql("SELECT * FROM dead_letters") == []
