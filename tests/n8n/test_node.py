"""The package n8n-nodes-reportq in real n8n, installed as n8n installs packages: each operation, and what goes wrong."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pypdf import PasswordType, PdfReader
from standardwebhooks.webhooks import Webhook

from ops.demo import Api
from ops.sample_report import SAMPLE
from ops.servers.loopback_http import call
from ops.servers.process import wait_until
from ops.servers.receiver import Receiver
from ops.servers.tcp_proxy import TcpProxy
from tests.n8n import node_flows
from tests.n8n.conftest import KEY, OTHER_SECRET, PATIENCE, PRODUCT, SECRET, System
from tests.n8n.crowds import files, items_of_which_five_are_bad, n8n_is_killed, the_api_is_away
from tests.n8n.server import Execution, N8n
from tests.n8n.test_workflows import BODY, ordered

pytestmark = pytest.mark.timeout(1200)

Run = Callable[..., Execution]


@pytest.fixture
def run(n8n: N8n) -> Run:
    """Start a workflow with items and give its execution once it has ended, however it did."""

    def start(workflow: str, *items: dict[str, Any], path: str = "", timeout: float = PATIENCE) -> Execution:
        before = len(n8n.statuses(workflow))
        n8n.order(path or workflow, {"items": list(items)})
        return n8n.wait_for(workflow, before + 1, timeout)[-1]

    return start


def test_one_report_with_its_file_and_a_name_that_says_something(n8n: N8n, system: System, code: str) -> None:
    n8n.order("reportq-node-a", ordered(code))
    found = n8n.wait_for(node_flows.AWAIT, 1, PATIENCE)[-1]
    (item,) = found.items("Here it is")
    assert (found.status, item["status"], item["code"]) == ("success", "completed", code)
    assert files(n8n, found, "Here it is") == [system.pdf(item["job_id"])]
    assert code in found.binaries("Here it is")[0]["report"]["fileName"]
    assert item["google_drive_link"] == system.job(item["job_id"])["google_drive_link"]


def test_many_items_come_in_their_order_and_what_fails_leaves_by_the_error_output(
    n8n: N8n, system: System, run: Run, code: str
) -> None:
    items = [ordered(code), ordered("n8n-nowhere"), {"code": "", "productId": PRODUCT}, ordered(code)]
    found = run(node_flows.MANY, *items, path="reportq-node-e")
    good, bad = found.items("Here they are"), found.items("Say what went wrong")
    assert [item["code"] for item in good] == [code, code]
    assert files(n8n, found, "Here they are") == [system.pdf(item["job_id"]) for item in good]
    assert [item["details"]["error_code"] for item in bad] == ["report_not_found", "invalid_request"]
    assert bad[0]["error"] == system.job(bad[0]["details"]["job_id"])["error"]["message"]
    assert bad[0]["message"]
    assert "code" in bad[1]["error"]
    assert len(system.jobs(code)) == 2


def test_a_failed_report_makes_the_node_red(system: System, run: Run, code: str) -> None:
    found = run("nodeRed", ordered(code), ordered("n8n-nowhere-red"))
    (job_id,) = system.jobs("n8n-nowhere-red")
    assert found.status == "error"
    assert system.job(job_id)["error"]["message"] in (found.error or "")
    assert found.error_node == "Reportq"
    assert "batch bat_" in (found.description or "")


def test_a_request_that_does_not_fit_orders_nothing_when_the_node_turns_red(
    system: System, run: Run, code: str
) -> None:
    found = run("nodeRed", ordered(code), {"code": "", "productId": PRODUCT})
    assert found.status == "error"
    assert "code" in (found.error or "")
    assert system.jobs(code) == []


def test_a_wrong_key_is_told_at_once_in_our_words(run: Run, keyed: Api) -> None:
    began = time.monotonic()
    found = run("nodeWrongKey", ordered("any"))
    refusal = call("GET", f"{keyed.url}/api/jobs", headers={"X-API-Key": "rq_wrong"}).json()
    assert found.error == refusal["detail"]
    assert found.description == refusal["next_step"]
    assert time.monotonic() - began < 60  # it has patience for two minutes with what passes by itself


def test_data_that_does_not_fit_is_refused_with_every_fault_before_anything_is_ordered(run: Run) -> None:
    found = run("nodeStrict", {"code": "x", "productId": PRODUCT, "data": {"peserta": {}}})
    assert found.status == "error"
    for missing in ("pemeriksa", "minat", "bakat", "nama"):
        assert missing in (found.error or "")


def test_more_than_one_batch_and_more_than_one_body(n8n: N8n, run: Run) -> None:
    """The API takes five jobs and 100 kB: the node halves what is refused, waits for all parts, and keeps the order."""
    data = json.loads(SAMPLE.read_text())
    items = [{"code": f"part-{n}", "productId": PRODUCT, "data": data} for n in range(13)]
    items[4] = items[4] | {"data": data | {"catatan": "x" * 120_000}}
    found = run("nodeKeyed", *items, timeout=300)
    assert [item["code"] for item in found.items("Good")] == [f"part-{n}" for n in range(13) if n != 4]
    assert all(file.startswith(b"%PDF") for file in files(n8n, found))
    assert len({item["batch_id"] for item in found.items("Good")}) > 2
    assert [item["details"]["error_code"] for item in found.items("Bad")] == ["body_too_large"]


def test_a_time_out_keeps_the_job_ids_and_what_has_ended(system: System, n8n: N8n, code: str) -> None:
    """n8n looks for what has run out once a minute: one look finds both."""
    hasty, strict = "nodeHasty", "nodeHastyRed"
    with system.held():
        for workflow in (hasty, strict):
            n8n.order(workflow, {"items": [ordered(code)]})
        found, red = (n8n.wait_for(workflow, 1, PATIENCE)[-1] for workflow in (hasty, strict))
    (late,) = found.items("Bad")
    assert late["details"]["job_id"] in system.jobs(code)
    assert late["details"]["error_code"] == "time_limit"
    assert (red.status, "within the time limit" in (red.error or "")) == ("error", True)
    for job_id in system.wait_all(code, "completed"):
        system.wait_told(job_id)


def test_asking_needs_no_callback(system: System, run: Run, code: str) -> None:
    found = run("nodeTools", ordered(code), ordered("n8n-nowhere-ask"))
    good, bad = found.items("Good")
    assert (good["status"], bad["details"]["error_code"]) == ("completed", "report_not_found")
    assert found.binaries("Good") == []  # link only
    (job_id,) = system.jobs(code)
    assert system.stack.sql("SELECT callback FROM pdf_job_results WHERE job_id=%s", job_id)[0]["callback"] is None


def test_a_loop_orders_anew_in_each_pass(system: System, run: Run, code: str) -> None:
    found = run("nodeLoop", *(ordered(code) for _ in range(5)))
    assert found.status == "success"
    assert len({item["job_id"] for item in found.items("Good")}) == 5
    assert sorted(system.jobs(code)) == sorted(item["job_id"] for item in found.items("Good"))


def test_executions_wait_while_n8n_is_killed(n8n: N8n, system: System, code: str) -> None:
    n8n_is_killed(n8n, system, code, 8)


def test_the_api_away_for_a_while_loses_and_doubles_nothing(n8n: N8n, system: System, way: TcpProxy, code: str) -> None:
    the_api_is_away(n8n, system, way, code, tries=4)


def test_more_items_than_a_page_of_results_of_which_five_are_bad(n8n: N8n, system: System, code: str) -> None:
    items_of_which_five_are_bad(n8n, system, code, 110)


def test_generate_goes_on_at_once_and_says_who_is_told(system: System, run: Run, person: Receiver, code: str) -> None:
    told = person.url("/generate")
    found = run("nodeGenerate", *(ordered(code) | {"callback": told} for _ in range(2)))
    jobs = [item["job_id"] for item in found.items("Good")]
    assert jobs == system.jobs(code)
    for job_id in jobs:
        assert system.wait_told(job_id)["webhook"]["state"] == "delivered"
    posts = {post.json()["job_id"]: post.json()["meta"] for post in person.posts("/generate")}
    assert posts == {job_id: {"n": n} for n, job_id in enumerate(jobs)}


def test_each_item_has_the_password_that_its_expression_gives(n8n: N8n, run: Run, code: str) -> None:
    """Text, or the number that a birthday is in somebody's table; an item without one has a PDF without one."""
    words: list[Any] = ["sesame-4711", 17081945, "", "pässword"]
    found = run("nodeLocked", *({**ordered(code), "word": word} for word in words))
    locked, dated, bare = (PdfReader(io.BytesIO(pdf)) for pdf in files(n8n, found))
    assert (locked.is_encrypted, dated.is_encrypted, bare.is_encrypted) == (True, True, False)
    assert locked.decrypt("sesame-4712") == PasswordType.NOT_DECRYPTED
    assert [one.decrypt(word) for one, word in ((locked, "sesame-4711"), (dated, "17081945"))].count(0) == 0
    [refused] = found.items("Bad")
    assert "printable ASCII" in refused["error"]


def test_what_is_done_with_one_job(n8n: N8n, system: System, run: Run, code: str) -> None:
    (good,) = run("nodeLink", ordered(code)).items("Good")
    (bad,) = run("nodeLink", ordered("n8n-nowhere-one")).items("Bad")
    failed = bad["details"]
    status = run("nodeStatus", good, failed, {"job_id": "pdf_nothing"})
    assert [item["status"] for item in status.items("Good")] == ["completed", "failed"]
    assert status.items("Good")[1]["error_code"] == "report_not_found"
    assert status.items("Bad")[0]["details"]["error_code"] == "job_not_found"

    got = run("nodeDownload", good, failed)
    assert files(n8n, got) == [system.pdf(good["job_id"])]
    assert got.binaries("Good")[0]["report"]["fileName"] == f"Laporan {good['job_id']}.pdf"
    assert [item["details"]["error_code"] for item in got.items("Bad")] == ["report_not_found"]

    system.save_report("n8n-nowhere-one")
    again = run("nodeReplay", failed, good)
    assert again.items("Good")[0]["status"] == "queued"
    assert again.items("Bad")[0]["details"]["error_code"] == "not_replayable"
    wait_until(lambda: system.job(failed["job_id"])["status"] == "completed", PATIENCE, "the replay has ended")
    with system.held():
        (waiting,) = run("nodeGenerate", ordered(code)).items("Good")
        assert run("nodeCancel", waiting).items("Good")[0]["status"] == "cancelled"


def test_what_is_done_with_one_batch(n8n: N8n, system: System, run: Run, code: str) -> None:
    ended = run("nodeLink", ordered(code), ordered("n8n-nowhere-batch"))
    batch = {"batch_id": ended.items("Good")[0]["batch_id"]}
    (status,) = run("nodeBatchStatus", batch).items("Good")
    assert (status["status"], status["counts"]["completed"], status["counts"]["failed"]) == ("ended", 1, 1)
    zipped = zipfile.ZipFile(io.BytesIO(files(n8n, run("nodeBatchZip", batch))[0]))
    assert system.pdf(ended.items("Good")[0]["job_id"]) in [zipped.read(name) for name in zipped.namelist()]
    system.save_report("n8n-nowhere-batch")
    assert run("nodeBatchReplay", batch).items("Good")[0]["replayed"] == 1
    system.wait_all("n8n-nowhere-batch", "completed")
    with system.held():
        (waiting,) = run("nodeGenerate", ordered(code)).items("Good")
        assert run("nodeBatchCancel", waiting).items("Good")[0]["cancelled"] == 1


def test_products_can_be_asked_for_and_data_checked(run: Run) -> None:
    found = {item["id"] for item in run("nodeProducts", {}).items("Good")}
    assert PRODUCT in found
    data = json.loads(SAMPLE.read_text())
    checked = run("nodeValidate", {"data": data}, {"data": {}}).items("Good")
    assert [item["valid"] for item in checked] == [True, False]
    assert len(checked[1]["errors"]) >= 4


def test_the_editor_lists_products_maps_their_fields_and_tests_the_credential(
    n8n: N8n, system: System, keyed: Api
) -> None:
    person = {"email": "a@example.com", "firstName": "A", "lastName": "B", "password": "Abcdefgh1"}
    browser = {"browser-id": "tests"}
    answer = call("POST", f"{n8n.url}/rest/owner/setup", json=person, headers=browser)
    browser["Cookie"] = answer.headers["Set-Cookie"].partition(";")[0]

    def rest(path: str, body: dict[str, Any]) -> Any:
        said = call("POST", f"{n8n.url}/rest/{path}", json=body, headers=browser)
        assert said.ok, said.text
        return said.json()["data"]

    asked = {
        "nodeTypeAndVersion": {"name": "n8n-nodes-reportq.reportq", "version": 1},
        "currentNodeParameters": {"productId": PRODUCT},
        "credentials": {"reportqApi": {"id": "reportqApiKey", "name": "reportqApiKey"}},
    }
    products = rest("dynamic-node-parameters/options", asked | {"path": "productId", "methodName": "getProducts"})
    assert PRODUCT in [product["value"] for product in products]
    mapped = rest(
        "dynamic-node-parameters/resource-mapper-fields", asked | {"path": "fields", "methodName": "getFields"}
    )
    required = {field["id"] for field in mapped["fields"] if field["required"]}
    assert "peserta.nama" in required
    for key, status in ((KEY, "OK"), ("rq_wrong", "Error")):
        data = {"url": f"{keyed.url}/", "apiKey": key, "webhookSecret": ""}
        tested = rest("credentials/test", {"credentials": {"id": "", "name": "x", "type": "reportqApi", "data": data}})
        assert tested["status"] == status, tested


@pytest.mark.parametrize(
    ("key", "age", "sent", "status"),
    [
        (SECRET, 0, BODY, 200),
        (OTHER_SECRET, 0, BODY, 200),  # the other one of two, while they are changed
        ("whsec_" + "B" * 32, 0, BODY, 401),
        (SECRET, 0, BODY.replace(b"completed", b"cancelled"), 401),
        (SECRET, 600, BODY, 401),
        (SECRET, -600, BODY, 401),
        (None, 0, BODY, 401),
    ],
    ids=["genuine", "rotated", "another key", "tampered", "ten minutes old", "ten minutes early", "unsigned"],
)
def test_the_trigger_starts_for_genuine_callbacks_and_answers_401_to_others(
    n8n: N8n, key: str | None, age: int, sent: bytes, status: int
) -> None:
    before = len(n8n.statuses(node_flows.VERIFY))
    when = datetime.now(UTC) - timedelta(seconds=age)
    signed = {} if key is None else {
        "webhook-id": "msg_pdf_1_1",
        "webhook-timestamp": str(int(when.timestamp())),
        "webhook-signature": f"v1,AAAA {Webhook(key).sign('msg_pdf_1_1', when, BODY.decode())}",
    }  # fmt: skip
    headers = {"content-type": "application/json", **signed}
    answer = call("POST", f"{n8n.url}/webhook/reportq-node-f", data=sent, headers=headers)
    assert answer.status_code == status
    if status == 200:
        found = n8n.wait_for(node_flows.VERIFY, before + 1, PATIENCE)[-1]
        assert found.items("Read it") == [json.loads(BODY)]
    else:
        assert answer.json()["message"]
        assert len(n8n.statuses(node_flows.VERIFY)) == before


def test_a_real_callback_passes_the_trigger_and_a_person_replays_what_failed(n8n: N8n, system: System) -> None:
    late = "n8n-node-report-that-comes-late"
    url = f"{n8n.url}/webhook/reportq-node-g"
    job_id = system.post("/api/reports/generate-async", ordered(late) | {"failureCallback": url})["job_id"]
    wait_until(lambda: "waiting" in n8n.statuses(node_flows.ON_FAILURE), PATIENCE, "n8n waits for the decision")
    waiting = n8n.executions(node_flows.ON_FAILURE)[-1]
    assert waiting.items("Read the reason")[0]["error_code"] == "report_not_found"
    system.save_report(late)
    form = f"{n8n.url}/form-waiting/{waiting.id}?signature={waiting.token}"
    assert call("POST", form, files={"field-0": (None, "Replay it")}).ok
    assert n8n.wait_for(node_flows.ON_FAILURE, 1, PATIENCE)[-1].items("Replay")[0]["status"] == "queued"
    assert system.wait_told(job_id)["status"] == "completed"
