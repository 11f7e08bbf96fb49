"""Every workflow of ops/n8n does in real n8n what its first sticky note says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ops.servers.loopback_http import call
from ops.servers.n8n import Execution, N8n
from ops.servers.process import wait_until
from ops.servers.receiver import Receiver
from tests.n8n import workflows
from tests.n8n.conftest import PRODUCT, System

pytestmark = pytest.mark.timeout(1200)


def ordered(code: str) -> dict[str, Any]:
    return {"code": code, "productId": PRODUCT}


class Runs:
    """The executions of one workflow that come after this was made."""

    def __init__(self, n8n: N8n, workflow_id: str) -> None:
        self._n8n = n8n
        self._workflow_id = workflow_id
        self._before = {run.id for run in n8n.executions(workflow_id)}

    def ended(self, count: int = 1, timeout: float = 180) -> list[Execution]:
        found = self._n8n.wait_for(self._workflow_id, len(self._before) + count, timeout)
        new = [run for run in found if run.id not in self._before]
        assert [run.error for run in new] == [None] * count
        assert {run.status for run in new} == {"success"}
        return new


@pytest.fixture
def runs(n8n: N8n) -> Callable[[str], Runs]:
    return lambda workflow_id: Runs(n8n, workflow_id)


def downloaded(n8n: N8n, run: Execution) -> list[bytes]:
    return [n8n.binary(binary["report"]) for binary in run.binaries("Download the PDF")]


def test_submit_and_wait(n8n: N8n, system: System, runs: Callable[[str], Runs], code: str) -> None:
    mine = runs(workflows.AWAIT)
    n8n.order("reportq-a", ordered(code))
    run = mine.ended()[0]
    job_id = run.items("Submit")[0]["job_id"]
    assert system.wait_told(job_id)["webhook"]["state"] == "delivered"
    assert run.items("Wait for the callback")[0]["body"]["google_drive_link"] == system.job(job_id)["google_drive_link"]
    assert downloaded(n8n, run) == [system.pdf(job_id)]


def test_submit_and_wait_is_told_of_a_failure(n8n: N8n, system: System, runs: Callable[[str], Runs]) -> None:
    mine = runs(workflows.AWAIT)
    n8n.order("reportq-a", ordered("n8n-no-such-report"))
    told = mine.ended()[0].items("Say what went wrong")[0]
    assert told["status"] == "failed"
    assert told["error"] == system.job(told["job_id"])["error"]["message"]


def test_submit_and_wait_asks_when_no_callback_comes(
    n8n: N8n, system: System, runs: Callable[[str], Runs], code: str
) -> None:
    mine = runs("testImpatientWait")
    n8n.order("test-impatient", ordered(code))
    run = mine.ended(timeout=200)[0]  # n8n looks for expired waits once a minute
    assert run.items("Ask for the status")[-1]["status"] == "completed"
    assert downloaded(n8n, run) == [system.pdf(run.items("Submit")[0]["job_id"])]


def test_two_endpoints(n8n: N8n, system: System, runs: Callable[[str], Runs], code: str) -> None:
    mine = runs(workflows.TWO)
    n8n.order("reportq-b", ordered(code))
    order, callback = mine.ended(2)
    job_id = order.items("Submit")[0]["job_id"]
    assert callback.items("Link from the callback") == [
        {"job_id": job_id, "link": system.job(job_id)["google_drive_link"]}
    ]
    assert downloaded(n8n, callback) == [system.pdf(job_id)]


def test_two_endpoints_look_the_link_up_when_only_the_job_id_came(
    n8n: N8n, system: System, runs: Callable[[str], Runs], code: str
) -> None:
    job_id = system.post("/api/reports/generate-async", ordered(code))["job_id"]
    wait_until(lambda: bool(system.job(job_id)["status"] == "completed"), 60, "the report is made")
    mine = runs(workflows.TWO)
    n8n.order("pdf-complete", {"job_id": job_id, "status": "completed"})
    run = mine.ended()[0]
    assert run.items("Look the link up")[0]["google_drive_link"] == system.job(job_id)["google_drive_link"]
    assert downloaded(n8n, run) == [system.pdf(job_id)]


def test_two_endpoints_hear_of_failures_at_the_other_one(n8n: N8n, system: System, runs: Callable[[str], Runs]) -> None:
    mine = runs(workflows.TWO)
    n8n.order("reportq-b", ordered("n8n-no-such-report-b"))
    _, callback = mine.ended(2)
    told = callback.items("Say what went wrong")[0]
    assert callback.items("A report failed")[0]["webhookUrl"].endswith("/webhook/pdf-failed")
    assert told["status"] == "failed"
    assert told["error"] == system.job(told["job_id"])["error"]["message"]


def test_polling(n8n: N8n, system: System, runs: Callable[[str], Runs], code: str) -> None:
    mine = runs(workflows.POLL)
    n8n.order("reportq-c", ordered(code))
    run = mine.ended()[0]
    assert downloaded(n8n, run) == [system.pdf(run.items("Submit")[0]["job_id"])]


def test_synchronous(n8n: N8n, system: System, runs: Callable[[str], Runs], code: str) -> None:
    mine = runs(workflows.SYNC)
    n8n.order("reportq-d", ordered(code))
    run = mine.ended()[0]
    (job_id,) = system.jobs(code)
    assert [n8n.binary(binary["data"]) for binary in run.binaries("Here it is")] == [system.pdf(job_id)]


def test_many_items(n8n: N8n, system: System, runs: Callable[[str], Runs], code: str) -> None:
    mine = runs(workflows.MANY)
    n8n.order("reportq-e", {"items": [ordered(code) for _ in range(6)]})
    run = mine.ended(timeout=180)[0]
    jobs = [item["job_id"] for item in run.items("Submit")]
    assert sorted(jobs) == sorted(system.jobs(code))
    assert len(set(jobs)) == 6
    assert downloaded(n8n, run) == [system.pdf(job_id) for job_id in jobs]


def test_a_genuine_callback_is_read_and_a_forged_one_is_not(
    n8n: N8n, system: System, runs: Callable[[str], Runs], code: str
) -> None:
    mine = runs(workflows.VERIFY)
    job_id = system.post(
        "/api/reports/generate-async", ordered(code) | {"callback": f"{n8n.url}/webhook/reportq-f", "meta": {"é": "…"}}
    )["job_id"]
    genuine = mine.ended()[0]
    assert genuine.items("Read it")[0]["job_id"] == job_id
    assert genuine.items("Read it")[0]["meta"] == {"é": "…"}
    n8n.order("reportq-f", {"job_id": job_id, "status": "completed"})
    forged = mine.ended(2)[1]
    assert forged.items("Read it") == []
    assert forged.items("Ignore it") == [{"ignored": "no webhook-id"}]


def test_a_person_reads_of_a_failure_and_replays_it(
    n8n: N8n, system: System, person: Receiver, runs: Callable[[str], Runs]
) -> None:
    mine = runs(workflows.ON_FAILURE)
    late = "n8n-report-that-comes-late"
    url = f"{n8n.url}/webhook/reportq-g"
    job_id = system.post("/api/reports/generate-async", ordered(late) | {"failureCallback": url})["job_id"]
    wait_until(lambda: any(job_id in post.json()["text"] for post in person.posts()), 60, "a person is told")
    text = next(post.json()["text"] for post in person.posts() if job_id in post.json()["text"])
    assert system.job(job_id)["error"]["message"] in text

    system.save_report(late)  # the person puts it right, and opens the link
    wait_until(lambda: "waiting" in n8n.statuses(workflows.ON_FAILURE), 30, "n8n waits for the decision")
    assert call("GET", text.split(" ")[-1]).ok

    decided, told = mine.ended(2)
    assert decided.items("Replay")[0] == decided.items("Replay")[0] | {"job_id": job_id, "status": "queued"}
    assert told.items("A report failed")[0]["body"]["status"] == "completed"
    assert system.wait_told(job_id)["status"] == "completed"
    assert system.job(job_id)["round"] == 2
