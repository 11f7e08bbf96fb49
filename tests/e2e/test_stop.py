"""The embedded default is stopped in order: what is under way is finished or given back, and costs nothing (DESIGN §5)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from ops.demo import ROOT, Api
from ops.servers.drive import DriveDouble
from ops.servers.process import free_port, wait_until
from ops.servers.receiver import Receiver
from schema.documents import open_documents
from schema.sql.database import Database

pytestmark = pytest.mark.timeout(240)

PARTS = 100  # of a report; each of them looks whether its drawing is to stop
LONG, SHORT = 30, 1  # texts of a part: a long report takes several seconds, a short one is made at once
TEXT = "Ia bekerja dengan tenang dan teliti, dan ia bertanya bila petunjuk belum jelas. " * 8


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver(tmp_path / "receiver") as running:
        yield running


def environment(folder: Path, receiver: Receiver) -> dict[str, str]:
    product = folder / "templates" / "long"
    product.mkdir(parents=True)
    template = {"title": "x", "subject": "x", "author": "x", "language": "id", "header": "x"}
    texts = {"block": "each", "items": "texts", "each": "text", "blocks": [{"block": "text", "text": "{{ text }}"}]}
    blocks = [texts] * PARTS
    (product / "template.yaml").write_text(json.dumps(template | {"blocks": blocks}))
    (product / "schema.json").write_text('{"type": "object"}')
    return {
        "REPORTQ_DATABASE_URL": f"sqlite:///{folder}/reportq.db",
        "REPORTQ_ARTIFACTS_URL": f"file:{folder}/artifacts",
        "REPORTQ_RUN_DIR": str(folder / "run"),
        "REPORTQ_TEMPLATES_DIR": str(product.parent),
        "REPORTQ_WEBHOOK_ALLOW": f"127.0.0.1:{receiver.port}",
        "REPORTQ_LEASE": "3",
        "REPORTQ_HEARTBEAT": "1",
        "REPORTQ_CONCURRENT_WORKERS": "1",
    }


def save_report(folder: Path, texts: int) -> None:
    """What every start of a job draws from now on; a drawing that has begun goes on with what it has read."""
    database = Database(f"sqlite:///{folder}/reportq.db")
    open_documents("database:", database).save_report("K1", "long", {"texts": [TEXT] * texts})
    database.close()


@pytest.fixture
def api_of(tmp_path: Path, receiver: Receiver) -> Iterator[Callable[..., Api]]:
    made: list[Api] = []

    def make(**more: str) -> Api:
        port = free_port()
        environ = {**environment(tmp_path, receiver), **more, "REPORTQ_PORT": str(port)}
        made.append(Api(tmp_path / "api", port, environ))
        made[-1].start()
        save_report(tmp_path, LONG)
        return made[-1]

    yield make
    for api in made:
        api.kill()


def submit(api: Api, product: str = "long", **more: Any) -> str:
    body = {"code": "K1", "productId": product, **more}
    answer = requests.post(f"{api.url}/api/reports/generate-async", json=body, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def job(api: Api, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{api.url}/api/jobs/{job_id}", timeout=30).json()
    return found


def at(api: Api, job_id: str, stage: str) -> None:
    wait_until(lambda: job(api, job_id)["stage"] == stage, 60, f"{job_id} is {stage}")


def completed(api: Api, job_id: str) -> dict[str, Any]:
    wait_until(lambda: job(api, job_id)["status"] == "completed", 90, f"{job_id} is completed")
    return job(api, job_id)


def workers(api: Api) -> set[int]:
    assert api.pid is not None
    return set(api.processes()) - {api.pid}


def terminate(api: Api) -> None:
    began = time.monotonic()
    api.stop()
    assert time.monotonic() - began < 40
    api.start()


def interrupt(api: Api) -> None:
    """Ctrl-C in a terminal: the whole group gets it, and the master tells its worker once more."""
    for pid in api.processes():
        os.kill(pid, signal.SIGINT)
    wait_until(lambda: not api.running, 60, "it has ended")
    api.start()


def reload(api: Api) -> None:
    assert api.pid is not None
    before = workers(api)
    os.kill(api.pid, signal.SIGHUP)
    wait_until(lambda: not before & workers(api), 90, "another process serves")
    wait_until(api.answers, 60, "it answers")


@pytest.mark.parametrize("stop", [terminate, interrupt, reload])
def test_a_job_that_orderly_stops_meet_again_and_again_is_given_back_at_no_cost(
    api_of: Callable[..., Api], tmp_path: Path, stop: Callable[[Api], None]
) -> None:
    api = api_of()
    job_id = submit(api)
    for texts_from_now_on in (LONG, LONG, SHORT):
        at(api, job_id, "rendering")
        save_report(tmp_path, texts_from_now_on)
        stop(api)
    ended = completed(api, job_id)
    assert [attempt["outcome"] for attempt in ended["attempts"]] == ["returned"] * 3 + ["completed"]


def test_an_upload_under_way_is_finished(
    api_of: Callable[..., Api], tmp_path: Path, drive: DriveDouble, receiver: Receiver
) -> None:
    drive.clear()
    api = api_of(
        REPORTQ_ARTIFACTS_URL=drive.url,
        REPORTQ_GDRIVE_CREDENTIALS=str(drive.service_account(tmp_path)),
        REPORTQ_GDRIVE_API_ROOT=drive.api_root,
    )
    save_report(tmp_path, SHORT)
    drive.fail("insert", "delay", seconds=4.0)
    try:
        job_id = submit(api)
        at(api, job_id, "uploading")
        api.stop()
    finally:
        drive.clear()
    api.start()
    assert [attempt["outcome"] for attempt in completed(api, job_id)["attempts"]] == ["completed"]


def test_a_callback_under_way_is_told_once(api_of: Callable[..., Api], receiver: Receiver) -> None:
    """Longer than a lease: it is kept up until the last worker has ended."""
    receiver.script("*", {"delay": 6.0})
    api = api_of()
    job_id = submit(api, "no such product", callback=receiver.url("/slow"))
    receiver.wait_posts(1)
    api.stop()
    api.start()
    wait_until(lambda: job(api, job_id)["webhook"]["state"] == "delivered", 60, "delivered")
    assert job(api, job_id)["webhook"]["tries"] == 1
    assert len(receiver.posts()) == 1


def test_a_caller_who_waits_is_answered_at_once_when_the_work_stops(api_of: Callable[..., Api], tmp_path: Path) -> None:
    """Nobody here makes the report any more; a caller who waits on would keep the next process from accepting."""
    api = api_of()
    answers: list[requests.Response] = []

    def ask() -> None:
        body = {"code": "K1", "productId": "long"}
        answers.append(requests.post(f"{api.url}/api/reports/generate", json=body, timeout=60))

    caller = threading.Thread(target=ask)
    caller.start()
    wait_until(lambda: jobs(api) != [], 30, "it is accepted")
    at(api, jobs(api)[0], "rendering")
    save_report(tmp_path, SHORT)
    began = time.monotonic()
    api.stop()
    assert time.monotonic() - began < 30
    caller.join(30)
    assert [answer.status_code for answer in answers] == [202]
    api.start()
    assert completed(api, answers[0].json()["job_id"])["attempts"][0]["outcome"] == "returned"


def jobs(api: Api) -> list[str]:
    return [found["job_id"] for found in requests.get(f"{api.url}/api/jobs", timeout=30).json()["jobs"]]


def test_a_worker_whose_master_was_killed_gives_its_job_back(api_of: Callable[..., Api], tmp_path: Path) -> None:
    api = api_of()
    job_id = submit(api)
    at(api, job_id, "rendering")
    save_report(tmp_path, SHORT)
    leash = api._leash
    assert leash is not None
    before, master = workers(api), api.pid
    assert master is not None
    os.kill(leash.pid, signal.SIGSTOP)  # it would kill what its server leaves behind
    os.kill(master, signal.SIGKILL)
    try:
        wait_until(lambda: not any(map(works, before)), 60, "its worker has ended")
    finally:
        os.kill(leash.pid, signal.SIGCONT)
    wait_until(lambda: not api.running, 60, "all of it has ended")
    api.start()
    assert [attempt["outcome"] for attempt in completed(api, job_id)["attempts"]] == ["returned", "completed"]


def works(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ops_run_stops_in_order_whoever_ends_it(tmp_path: Path, receiver: Receiver, number: signal.Signals) -> None:
    """Ctrl-C, a supervisor's stop, a terminal that is closed."""
    environ, port = environment(tmp_path, receiver), free_port()
    api = Api(tmp_path / "api", port, {**environ, "REPORTQ_PORT": str(port)})
    command = [sys.executable, "-m", "ops.demo", "--port", str(port)]
    with (tmp_path / "output").open("wb") as output:
        running = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environ}, stdout=output, stderr=output)
    wait_until(lambda: "Callbacks are written to" in (tmp_path / "output").read_text(), 90, "it runs")
    save_report(tmp_path, LONG)
    job_id = submit(api)
    at(api, job_id, "rendering")
    save_report(tmp_path, SHORT)
    running.send_signal(number)
    running.wait(60)
    with api:
        assert [attempt["outcome"] for attempt in completed(api, job_id)["attempts"]] == ["returned", "completed"]
