"""Every workflow of ops/n8n does in real n8n what its first sticky note says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from ops.servers.loopback_http import call
from ops.servers.process import wait_until
from ops.servers.receiver import Receiver
from tests.n8n import workflows
from tests.n8n.breaking_proxy import BreakingProxy
from tests.n8n.conftest import OTHER_SECRET, PATIENCE, PRODUCT, SECRET, System
from tests.n8n.server import Execution, N8n

pytestmark = pytest.mark.timeout(1200)

BODY = json.dumps({"job_id": "pdf_1", "status": "completed", "meta": {"é": "…"}}).encode()


def ordered(code: str) -> dict[str, Any]:
    return {"code": code, "productId": PRODUCT}


class Runs:
    """The executions of one workflow that come after this was made."""

    def __init__(self, n8n: N8n, workflow_id: str) -> None:
        self._n8n = n8n
        self._workflow_id = workflow_id
        self._before = {run.id for run in n8n.executions(workflow_id)}

    def ended(self, count: int = 1, timeout: float = 180, red: int = 0) -> list[Execution]:
        """The new executions; `red` of them ended with an error, the others well."""
        found = self._n8n.wait_for(self._workflow_id, len(self._before) + count, timeout)
        new = [run for run in found if run.id not in self._before]
        told = [(run.status, run.error) for run in new]
        assert sorted(status for status, _ in told) == ["error"] * red + ["success"] * (count - red), told
        return new


@pytest.fixture
def runs(n8n: N8n) -> Callable[[str], Runs]:
    return lambda workflow_id: Runs(n8n, workflow_id)


@pytest.fixture(scope="module", autouse=True)
def impatient(n8n: N8n, system: System) -> Runs:
    """Begun before all others: n8n looks for waits that have run out once a minute."""
    code = "n8n-impatient"
    system.save_report(code)
    mine = Runs(n8n, "testImpatientWait")
    n8n.order("test-impatient", ordered(code))
    return mine


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
    red = mine.ended(red=1)[0]  # an Error Workflow fires
    told = red.items("Say what went wrong")[0]
    assert told["status"] == "failed"
    assert told["error"] in (red.error or "")
    assert told["error"] == system.job(told["job_id"])["error"]["message"]


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
    wait_until(lambda: bool(system.job(job_id)["status"] == "completed"), PATIENCE, "the report is made")
    mine = runs(workflows.TWO)
    n8n.order("pdf-complete", {"job_id": job_id, "status": "completed"})
    run = mine.ended()[0]
    assert run.items("Look the link up")[0]["google_drive_link"] == system.job(job_id)["google_drive_link"]
    assert downloaded(n8n, run) == [system.pdf(job_id)]


def test_two_endpoints_look_the_link_up_by_sql(
    n8n: N8n, system: System, runs: Callable[[str], Runs], code: str
) -> None:
    job_id = system.post("/api/reports/generate-async", ordered(code))["job_id"]
    wait_until(lambda: bool(system.job(job_id)["status"] == "completed"), PATIENCE, "the report is made")
    mine = runs("testLookUpBySql01")
    n8n.order("test-sql-complete", {"job_id": job_id, "status": "completed"})
    run = mine.ended()[0]
    found = run.items("Look the link up by SQL")[0]
    assert (found["job_id"], found["status"]) == (job_id, "completed")
    assert found["google_drive_link"] == system.job(job_id)["google_drive_link"]
    assert downloaded(n8n, run) == [system.pdf(job_id)]


def test_two_endpoints_hear_of_failures_at_the_other_one(n8n: N8n, system: System, runs: Callable[[str], Runs]) -> None:
    mine = runs(workflows.TWO)
    n8n.order("reportq-b", ordered("n8n-no-such-report-b"))
    _, callback = mine.ended(2, red=1)
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
    assert [n8n.binary(binary["report"]) for binary in run.binaries("Here it is")] == [system.pdf(job_id)]


def test_synchronous_goes_on_as_polling_when_it_takes_longer(
    n8n: N8n, system: System, breaking: BreakingProxy, runs: Callable[[str], Runs], code: str
) -> None:
    mine = runs("testHastySync0001")
    breaking.posts, breaking.spoiled = 0, set()
    with system.held():
        n8n.order("test-hasty", ordered(code))
        wait_until(lambda: breaking.posts == 1, PATIENCE, "n8n has its 202")
    run = mine.ended()[0]
    (job_id,) = system.jobs(code)
    assert run.items("Generate")[0]["statusCode"] == 202
    assert run.items("Here it is") == []
    assert downloaded(n8n, run) == [system.pdf(job_id)]


def test_many_items(n8n: N8n, system: System, runs: Callable[[str], Runs], code: str) -> None:
    mine = runs(workflows.MANY)
    n8n.order("reportq-e", {"items": [ordered(code) for _ in range(13)]})  # more than one batch
    run = mine.ended(timeout=180)[0]
    jobs = [item["job_id"] for item in run.items("Submit")]
    assert sorted(jobs) == sorted(system.jobs(code))
    assert len(set(jobs)) == 13
    assert downloaded(n8n, run) == [system.pdf(job_id) for job_id in jobs]


def test_many_items_of_which_some_fail(n8n: N8n, system: System, runs: Callable[[str], Runs], code: str) -> None:
    mine = runs(workflows.MANY)
    n8n.order("reportq-e", {"items": [ordered(code), ordered("n8n-nowhere-e"), ordered(code)]})
    run = mine.ended(red=1)[0]
    jobs = [item["job_id"] for item in run.items("Submit")]
    assert [n8n.binary(binary["report"]) for binary in run.binaries("All done")] == [
        system.pdf(jobs[0]),
        system.pdf(jobs[2]),
    ]
    assert [item["job_id"] for item in run.items("Say what went wrong")] == [jobs[1]]
    assert jobs[1] in (run.error or "")


@pytest.mark.parametrize(
    ("flow", "path"), [(workflows.AWAIT, "reportq-a"), (workflows.POLL, "reportq-c"), (workflows.SYNC, "reportq-d")]
)
def test_a_request_that_does_not_fit_is_told_at_once_and_sent_once(
    n8n: N8n, runs: Callable[[str], Runs], flow: str, path: str
) -> None:
    mine = runs(flow)
    n8n.order(path, {"code": "", "productId": PRODUCT})
    run = mine.ended(red=1)[0]
    sent = "Generate" if flow == workflows.SYNC else "Send the order"
    assert [item["statusCode"] for item in run.items(sent)] == [422]
    assert "code" in run.items("Say what went wrong")[0]["error"]


def test_the_key_of_an_order_differs_between_items_passes_and_executions(
    n8n: N8n, system: System, runs: Callable[[str], Runs], code: str
) -> None:
    mine = runs(workflows.AWAIT)
    for _ in range(2):
        n8n.order("reportq-a", ordered(code))
    keys = [run.items("Settings")[0]["key"] for run in mine.ended(2)]
    assert len(set(keys)) == 2
    assert all(len(key) == 64 for key in keys)


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


@pytest.mark.parametrize(
    ("key", "age", "sent", "read"),
    [
        (SECRET, 0, BODY, True),
        (SECRET, 0, BODY.replace(b"completed", b"cancelled"), False),
        (OTHER_SECRET, 0, BODY, False),
        (SECRET, 600, BODY, False),
        (SECRET, -600, BODY, False),
    ],
    ids=["genuine", "tampered", "another key", "ten minutes old", "ten minutes early"],
)
def test_a_callback_is_read_only_with_its_own_fresh_signature(
    n8n: N8n, runs: Callable[[str], Runs], key: str, age: int, sent: bytes, read: bool
) -> None:
    mine = runs(workflows.VERIFY)
    when = datetime.now(UTC) - timedelta(seconds=age)
    headers = {
        "content-type": "application/json",
        "webhook-id": "msg_pdf_1_1",
        "webhook-timestamp": str(int(when.timestamp())),
        "webhook-signature": f"v1,AAAA {Webhook(key).sign('msg_pdf_1_1', when, BODY.decode())}",
    }
    assert call("POST", f"{n8n.url}/webhook/reportq-f", data=sent, headers=headers).ok
    run = mine.ended()[0]
    assert [item["status"] for item in run.items("Read it")] == (["completed"] if read else [])
    assert run.items("Ignore it") == ([] if read else [{"ignored": "msg_pdf_1_1"}])


BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PREVIEW = "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"


def test_a_person_reads_of_a_failure_and_replays_it_for_whoever_ordered_it(
    n8n: N8n, system: System, person: Receiver, runs: Callable[[str], Runs]
) -> None:
    mine = runs(workflows.ON_FAILURE)
    late = "n8n-report-that-comes-late"
    told = {"callback": person.url("/ordered"), "failureCallback": f"{n8n.url}/webhook/reportq-g"}
    job_id = system.post("/api/reports/generate-async", ordered(late) | told)["job_id"]
    wait_until(
        lambda: any(job_id in post.json().get("text", "") for post in person.posts()), PATIENCE, "a person is told"
    )
    text = next(post.json()["text"] for post in person.posts() if job_id in post.json().get("text", ""))
    assert system.job(job_id)["error"]["message"] in text

    system.save_report(late)  # the person puts it right
    link = text.split(" ")[-1]
    wait_until(lambda: "waiting" in n8n.statuses(workflows.ON_FAILURE), PATIENCE, "n8n waits for the decision")
    for agent in (PREVIEW, BROWSER):  # a preview, and the person who opens the form: nothing is decided yet
        shown = call("GET", link, headers={"User-Agent": agent})
        assert shown.ok
        assert "Replay it" in shown.text
        assert job_id in shown.text
    assert n8n.statuses(workflows.ON_FAILURE)[-1] == "waiting"
    assert system.job(job_id)["round"] == 1
    assert call("POST", link, files={"field-0": (None, "Replay it")}).ok

    decided = mine.ended()[0]
    assert decided.items("Replay")[0] == decided.items("Replay")[0] | {"job_id": job_id, "status": "queued"}
    assert system.wait_told(job_id)["status"] == "completed"
    assert system.job(job_id)["round"] == 2
    ordered_by = [post.json() for post in person.posts("/ordered")]
    assert [(post["job_id"], post["status"]) for post in ordered_by] == [(job_id, "completed")]


def test_a_person_lets_a_failure_be(n8n: N8n, system: System, person: Receiver, runs: Callable[[str], Runs]) -> None:
    mine = runs(workflows.ON_FAILURE)
    url = f"{n8n.url}/webhook/reportq-g"
    job_id = system.post("/api/reports/generate-async", ordered("n8n-nowhere-g") | {"callback": url})["job_id"]
    wait_until(
        lambda: any(job_id in post.json().get("text", "") for post in person.posts()), PATIENCE, "a person is told"
    )
    text = next(post.json()["text"] for post in person.posts() if job_id in post.json().get("text", ""))
    wait_until(lambda: n8n.statuses(workflows.ON_FAILURE)[-1] == "waiting", PATIENCE, "n8n waits for the decision")
    assert call("POST", text.split(" ")[-1], files={"field-0": (None, "Let it be")}).ok
    assert mine.ended()[0].items("Replay") == []
    assert system.job(job_id)["round"] == 1


def test_a_failure_waits_for_its_decision_also_when_nobody_is_told(
    n8n: N8n, system: System, person: Receiver, runs: Callable[[str], Runs]
) -> None:
    mine = runs("testNobodyTold001")
    url = f"{n8n.url}/webhook/test-nobody-told"
    job_id = system.post("/api/reports/generate-async", ordered("n8n-nowhere-g2") | {"callback": url})["job_id"]
    wait_until(lambda: "waiting" in n8n.statuses("testNobodyTold001"), PATIENCE, "n8n waits for the decision")
    assert not any(job_id in post.json().get("text", "") for post in person.posts())
    link = n8n.executions("testNobodyTold001")[-1].items("Words for a person")[0]["text"].split(" ")[-1]
    assert call("POST", link, files={"field-0": (None, "Let it be")}).ok
    assert mine.ended()[0].items("Tell a person") == []


def test_submit_and_wait_asks_when_no_callback_comes(n8n: N8n, system: System, impatient: Runs) -> None:
    run = impatient.ended(timeout=200)[0]
    assert run.items("Ask for the status")[-1]["body"]["status"] == "completed"
    assert downloaded(n8n, run) == [system.pdf(run.items("Submit")[0]["job_id"])]
