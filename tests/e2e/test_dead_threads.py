"""A process one of whose threads has died ends and is started again, and until then it counts as bad (DESIGN §5)."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from ops.demo import ROOT, Api
from ops.sample_report import PRODUCT, SAMPLE
from ops.servers.process import Server, free_port, wait_until
from ops.servers.rabbitmq import RabbitMQ
from schema.rows import workers
from schema.sql.database import Database
from schema.sql.migrate import migrate

pytestmark = pytest.mark.timeout(180)


def environment(folder: Path) -> dict[str, str]:
    (folder / "orders").mkdir()
    return {
        "REPORTQ_DATABASE_URL": f"sqlite:///{folder}/reportq.db",
        "REPORTQ_ARTIFACTS_URL": f"file:{folder}/artifacts",
        "REPORTQ_RUN_DIR": str(folder / "run"),
        "REPORTQ_LEASE": "3",
        "REPORTQ_HEARTBEAT": "1",
        "MORTAL": str(folder / "orders"),
    }


class Mortal(Api):
    """The embedded default, some of whose threads are about to die."""

    def command(self) -> list[str]:
        return [*super().command()[:-1], "tests.e2e.mortal_service:app"]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    """One master, whose process is another one after each test."""
    folder, port = tmp_path_factory.mktemp("embedded"), free_port()
    with Mortal(folder / "api", port, {**environment(folder), "REPORTQ_PORT": str(port)}) as running:
        yield running


def serving(api: Api) -> set[int]:
    assert api.pid is not None
    return set(api.processes()) - {api.pid}


def report(api: Api) -> str:
    body = {"code": "K1", "productId": PRODUCT, "data": json.loads(SAMPLE.read_text())}
    return str(requests.post(f"{api.url}/api/reports/generate-async", json=body, timeout=30).json()["job_id"])


def completed(api: Api, job_id: str) -> bool:
    found: dict[str, Any] = requests.get(f"{api.url}/api/jobs/{job_id}", timeout=30).json()
    return found["status"] == "completed"


@pytest.mark.parametrize("thread", ["WorkerThread", "ConsumerThread", "relay", "housekeeper", "housekeeper-outside"])
def test_the_embedded_process_ends_answers_who_has_asked_and_another_takes_over(api: Mortal, thread: str) -> None:
    told = len(api.log.read_text())
    first = report(api)
    wait_until(lambda: completed(api, first), 60, "a report is made")
    before, answers = serving(api), list[int]()

    def ask() -> None:
        url = f"{api.url}/api/reports/generate"
        answers.append(requests.post(url, json={"code": "K", "productId": PRODUCT, "data": {}}, timeout=60).status_code)

    (api.folder.parent / "orders" / thread).touch()
    caller = threading.Thread(target=ask)
    caller.start()
    wait_until(lambda: not before & set(api.processes()), 90, "the process has ended")
    wait_until(lambda: bool(serving(api)), 30, "there is another one")
    caller.join(60)
    assert answers
    second = report(api)
    wait_until(lambda: completed(api, second), 60, "another report is made")
    assert "process.thread_died" in api.log.read_text()[told:]


class Worker(Server):
    """`dramatiq` as the supervisor starts it; it is not started again here."""

    name = "worker"

    def __init__(self, folder: Path, environ: dict[str, str], queue: str) -> None:
        super().__init__(folder)
        self._environ = environ
        self._queue = queue

    def command(self) -> list[str]:
        chosen = ["--processes", "1", "--threads", "2", "--queues", self._queue]
        return [sys.executable, "-m", "dramatiq", "tests.e2e.mortal_worker", *chosen]

    def environment(self) -> dict[str, str]:
        return {**self._environ, "PYTHONPATH": str(ROOT)}

    def answers(self) -> bool:
        return True


@pytest.mark.parametrize("thread", ["WorkerThread", "ConsumerThread"])
@pytest.mark.parametrize("queue", ["pdf", "webhooks"])
def test_a_worker_ends_for_its_supervisor_to_start_it_again(
    rabbitmq: RabbitMQ, tmp_path: Path, queue: str, thread: str
) -> None:
    environ = {**environment(tmp_path), "REPORTQ_BROKER_URL": rabbitmq.amqp_url}
    db = Database(environ["REPORTQ_DATABASE_URL"])
    migrate(db)
    with Worker(tmp_path / "worker", environ, queue) as worker:
        wait_until(lambda: workers.threads(db, 3, queue) == 2, 60, "it works")
        (tmp_path / "orders" / thread).touch()
        wait_until(lambda: not worker.running, 90, "it has ended")
        assert "process.thread_died" in worker.log.read_text()
    assert workers.live(db, 3, queue) == []
    db.close()


@pytest.mark.parametrize("thread", ["relay", "housekeeper", "housekeeper-outside"])
def test_the_relay_ends_when_a_thread_of_its_is_dead(tmp_path: Path, thread: str) -> None:
    environ = {**environment(tmp_path), "REPORTQ_BROKER_URL": "amqp://127.0.0.1:1/"}

    class Relay(Worker):
        def command(self) -> list[str]:
            return [sys.executable, "-m", "tests.e2e.mortal_relay"]

    (tmp_path / "orders" / thread).touch()
    with Relay(tmp_path / "relay", environ, "") as relay:
        wait_until(lambda: not relay.running, 60, "it has ended")
        assert f"process.thread_died            threads=['{thread}']" in relay.log.read_text()
