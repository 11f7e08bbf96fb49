"""What goes wrong between n8n and us: races, restarts, retries, ends that are not completions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.deliver.sender import SignedSender
from ops.servers.process import wait_until
from schema.callbacks.allow_list import AllowList
from schema.callbacks.verdicts import History, judge
from schema.ports import Post
from tests.n8n import workflows
from tests.n8n.breaking_proxy import BreakingProxy
from tests.n8n.conftest import PATIENCE, PRODUCT, SECRET, System
from tests.n8n.crowds import callbacks_come_too_early, n8n_is_away
from tests.n8n.server import N8n
from tests.n8n.test_workflows import Runs, ordered

pytestmark = pytest.mark.timeout(1200)


def test_a_callback_that_comes_before_the_wait_node_is_delivered(n8n: N8n, system: System, code: str) -> None:
    callbacks_come_too_early(n8n, system, code, 8)


def test_n8n_away_for_ten_seconds_with_executions_waiting(n8n: N8n, system: System, code: str) -> None:
    n8n_is_away(n8n, system, code, 8, seconds=10)


def test_retry_on_fail_makes_no_job_twice(n8n: N8n, system: System, breaking: BreakingProxy, code: str) -> None:
    """The answer to an accepted order is lost: it is sent again, and the same key is the same batch."""
    mine = Runs(n8n, "testRetryOnFail01")
    breaking.posts, breaking.spoiled = 0, {1, 2}
    n8n.order("test-retry-on-fail", {"items": [ordered(code) for _ in range(8)]})
    run = mine.ended(timeout=180)[0]
    assert breaking.posts == 3
    jobs = [item["job_id"] for item in run.items("Submit")]
    assert len(set(jobs)) == 8
    assert sorted(system.jobs(code)) == sorted(jobs)


@pytest.fixture(scope="module")
def listens_for_get(n8n: N8n, system: System) -> str:
    """A job whose callback is refused until it dies of it. That takes 25 s, which are another test's too."""
    code = "n8n-listens-for-get"
    system.save_report(code)
    n8n.order("test-waits-for-get", ordered(code))
    wait_until(lambda: len(system.jobs(code)) == 1, PATIENCE, "the job is there")
    job_id = system.jobs(code)[0]
    wait_until(lambda: bool(system.answers(job_id)), PATIENCE, "its callback was refused once")
    return job_id


def test_a_cancelled_job_arrives_where_the_workflow_listens(n8n: N8n, system: System, code: str) -> None:
    waiting, listening = Runs(n8n, workflows.AWAIT), Runs(n8n, workflows.TWO)
    with system.held():
        n8n.order("reportq-a", ordered(code))
        n8n.order("reportq-b", ordered(code))
        wait_until(lambda: len(system.jobs(code)) == 2, PATIENCE, "both jobs are there")
        for job_id in system.jobs(code):
            system.post(f"/api/jobs/{job_id}/cancel")
        resumed = waiting.ended(red=1)[0].items("Say what went wrong")[0]
        called = listening.ended(2, red=1)[1]
    assert resumed["status"] == "cancelled"
    assert called.items("A report failed")[0]["body"]["status"] == "cancelled"
    assert called.items("Say what went wrong")[0]["status"] == "cancelled"


@pytest.mark.usefixtures(listens_for_get.__name__)  # it begins here
def test_a_job_that_killed_its_workers_arrives_where_the_workflow_listens(n8n: N8n, system: System, code: str) -> None:
    """Three times a worker is killed while it loads the report: the round ends, and n8n is told like of any failure."""
    waiting, listening = Runs(n8n, workflows.AWAIT), Runs(n8n, workflows.TWO)
    system.stack.mongo.suspend()
    try:
        n8n.order("reportq-a", ordered(code))
        n8n.order("reportq-b", ordered(code))
        wait_until(lambda: len(system.jobs(code)) == 2, PATIENCE, "both jobs are there")
        jobs = system.jobs(code)

        def killed() -> bool:
            """Kill whoever works, until both rounds have ended."""
            if any(system.job(job_id)["stage"] == "loading" for job_id in jobs):
                for worker in ("render-0", "render-1"):
                    system.stack.kill(worker)
            return all(system.job(job_id)["status"] == "failed" for job_id in jobs)

        wait_until(killed, 240, "both jobs die by crash")
    finally:
        system.stack.mongo.resume()
    resumed = waiting.ended(red=1)[0].items("Say what went wrong")[0]
    called = listening.ended(2, red=1)[1].items("A report failed")[0]
    assert resumed["status"] == called["body"]["status"] == "failed"
    assert called["webhookUrl"].endswith("/webhook/pdf-failed")
    for job_id in jobs:
        job = system.wait_told(job_id)
        assert job["error"]["code"] == "worker_died"
        assert [attempt["outcome"] for attempt in job["attempts"]] == ["crashed"] * 3
        assert job["webhook"]["state"] == "delivered"


def test_a_wait_node_that_listens_for_get_is_told_to_its_builder(system: System, listens_for_get: str) -> None:
    job = system.wait_told(listens_for_get)
    assert job["status"] == "completed"
    assert job["webhook"]["state"] == "dead"
    assert "POST" in job["webhook"]["hint"]


def test_a_changed_resume_url_is_told_to_its_builder(n8n: N8n, system: System, code: str) -> None:
    """The plan's own replacement, done by hand at the wrong place, looks like this."""
    n8n.order("test-waits-for-get", ordered(code))
    wait_until(lambda: len(system.jobs(code)) == 1, PATIENCE, "the first job is there")
    row = system.stack.sql("SELECT callback FROM pdf_job_results WHERE job_id=%s", system.jobs(code)[0])[0]
    broken = row["callback"][:-1] + ("0" if row["callback"][-1] != "0" else "1")
    wait_until(lambda: "waiting" in n8n.statuses("testWaitsForGet01"), PATIENCE, "n8n waits")
    job_id = system.post("/api/reports/generate-async", {"code": code, "productId": PRODUCT, "callback": broken})[
        "job_id"
    ]
    job = system.wait_told(job_id)
    assert job["webhook"] | {"state": "dead", "last_status": 401} == job["webhook"]
    assert "unchanged" in job["webhook"]["hint"]
    assert broken.partition("signature=")[2] not in str(job)


@pytest.fixture(scope="module")
def sender() -> Iterator[SignedSender]:
    made = SignedSender([SECRET], version="1", allow=AllowList.parse("127.0.0.0/8"))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/webhook/nobody-published-this", "webhook_workflow_inactive"),
        ("/webhook-test/reportq-a", "webhook_test_url"),
        ("/webhook-waiting/999999999", "webhook_not_listening"),
    ],
)
def test_what_n8n_says_where_nobody_listens_is_understood(n8n: N8n, sender: SignedSender, path: str, code: str) -> None:
    answer = sender.send(Post(f"{n8n.url}{path}", "msg_pdf_1_1", b"{}"))
    verdict = judge(answer, History())
    assert (answer.status, verdict.kind, verdict.code) == (404, "again", code), answer.body_head


def test_what_n8n_says_of_an_execution_that_has_ended_is_understood(
    n8n: N8n, system: System, sender: SignedSender, code: str
) -> None:
    mine = Runs(n8n, workflows.AWAIT)
    n8n.order("reportq-a", ordered(code))
    job_id = mine.ended()[0].items("Submit")[0]["job_id"]
    system.wait_told(job_id)
    row = system.stack.sql("SELECT callback FROM pdf_job_results WHERE job_id=%s", job_id)[0]
    answer = sender.send(Post(row["callback"], "msg_pdf_1_1", b"{}"))
    verdict = judge(answer, History())
    assert (answer.status, verdict.kind, verdict.code) == (409, "stop", "webhook_execution_finished"), answer.body_head
    assert judge(answer, History(had_unknown=True)).unconfirmed
