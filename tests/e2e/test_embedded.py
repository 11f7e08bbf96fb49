"""The embedded default as a process: it forgets nothing when it is killed, and there is one of it (DESIGN §8)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from actors.process import runtime
from ops.demo import Api
from ops.sample_report import PRODUCT, SAMPLE
from ops.servers.process import free_port, wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    environ = {
        "REPORTQ_DATABASE_URL": f"sqlite:///{tmp_path}/reportq.db",
        "REPORTQ_ARTIFACTS_URL": f"file:{tmp_path}/artifacts",
        "REPORTQ_RUN_DIR": str(tmp_path / "run"),
        "REPORTQ_LEASE": "3",
        "REPORTQ_HEARTBEAT": "1",
    }
    port = free_port()
    with Api(tmp_path / "api", port, {**environ, "REPORTQ_PORT": str(port)}) as running:
        yield running


def submit(api: Api, number: int) -> str:
    body = {"code": f"K{number}", "productId": PRODUCT, "data": json.loads(SAMPLE.read_text())}
    answer = requests.post(f"{api.url}/api/reports/generate-async", json=body, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def job(api: Api, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{api.url}/api/jobs/{job_id}", timeout=30).json()
    return found


def test_what_was_accepted_survives_kill_9(api: Api) -> None:
    """Hints lived in the process alone: at its next start every waiting row is published again."""
    accepted = [submit(api, number) for number in range(12)]
    api.kill()
    api.start()
    for job_id in accepted:
        wait_until(lambda job_id=job_id: job(api, job_id)["status"] == "completed", 60, f"{job_id} ends")  # type: ignore[misc]
        pdf = requests.get(f"{api.url}/api/jobs/{job_id}/download", timeout=30)
        assert pdf.content.startswith(b"%PDF-")


def test_a_second_one_in_the_same_folder_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "LOCK_WAIT", 0.3)
    first = runtime.alone(str(tmp_path))
    with pytest.raises(runtime.AlreadyRunning, match="REPORTQ_RUN_DIR"):
        runtime.alone(str(tmp_path))
    first.close()
    runtime.alone(str(tmp_path)).close()
