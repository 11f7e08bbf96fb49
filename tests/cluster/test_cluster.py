"""Three RabbitMQ nodes with quorum queues, two hosts' worth of programs, and nodes that die under load (DESIGN §2.8).

Two sets of production's programs share one database. Each has its own supervisor, run folder and API port. Only SQL and
RabbitMQ connect the two sets, as if they ran on two hosts.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import requests

from ops.servers.process import Server, free_port, wait_until
from ops.servers.rabbitmq import RabbitMQ
from ops.servers.supervisord import Supervised
from ops.stack import Stack
from tests.cluster.nodes import cluster

JOBS = 1000
CALLERS = 4
MODULES = {"actors.worker": "ops.stack_worker"}
SETTINGS = {
    "REPORTQ_QUEUE_TYPE": "quorum",
    "REPORTQ_LEASE": "12",
    "REPORTQ_HEARTBEAT": "2",
    "REPORTQ_SWEEP": "0.5",
    "REPORTQ_BROKER_TIMEOUT": "4",
    "REPORTQ_LOST_HINT_AFTER": "5",
    "REPORTQ_RELAY_HOLD": "4",
    "REPORTQ_RELAY_STUCK": "20",
}
pytestmark = pytest.mark.timeout(900)


class TwoHosts(Stack):
    """The stack with a cluster for a broker, and a second set of programs."""

    def __init__(self, folder: Path, nodes: list[RabbitMQ]) -> None:
        broker = ";".join(node.amqp_url for node in nodes)
        settings = {**SETTINGS, "REPORTQ_BROKER_URL": broker}
        super().__init__(folder, render_workers=2, settings=settings, drive=False, modules=MODULES)
        self.rabbitmq = nodes[0]
        port = free_port()
        run_dir = self.folder / "run-b"
        run_dir.mkdir()
        own = {"REPORTQ_PORT": str(port), "REPORTQ_RUN_DIR": str(run_dir), "REPORTQ_METRICS_PORT": str(free_port())}
        self.second = Supervised(self.folder / "programs-b", {**self.environment, **own}, port, MODULES, {})
        self.urls = [self.url, f"http://127.0.0.1:{port}"]

    def servers(self) -> dict[str, Server]:
        """Without RabbitMQ: the test starts and kills the nodes."""
        return {name: server for name, server in super().servers().items() if name != "rabbitmq"}

    def kill_all(self) -> None:
        self.second.kill()
        super().kill_all()


def test_nothing_is_lost_while_two_of_three_nodes_die_under_load(tmp_path: Path) -> None:
    nodes = cluster(tmp_path / "rabbitmq")
    try:
        with TwoHosts(tmp_path / "stack", nodes) as stack:
            stack.second.start(timeout=120)
            _lose_two_nodes(stack, nodes)
    finally:
        for node in nodes:
            node.kill()
            node.stop()


def _lose_two_nodes(stack: TwoHosts, nodes: list[RabbitMQ]) -> None:
    accepted: list[str] = []
    other: Counter[int] = Counter()
    enough = threading.Event()

    def call(number: int) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while len(accepted) < JOBS and not enough.is_set():
                url = stack.urls[number % 2] + "/api/reports/generate-async"
                answer = session.post(url, json={"code": "A", "productId": "noop", "data": {"n": 1}}, timeout=30)
                if answer.status_code == 202:
                    accepted.append(str(answer.json()["job_id"]))
                else:
                    other[answer.status_code] += 1
                time.sleep(0.02)

    callers = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        wait_until(lambda: len(accepted) >= JOBS * 3 // 10, 300, "three tenths are accepted")
        nodes[0].kill()  # everybody is connected to the first of the list
        wait_until(lambda: len(accepted) >= JOBS * 6 // 10, 300, "six tenths are accepted")
        nodes[1].kill()  # no majority is left: nothing can be published, confirms hang
        wait_until(lambda: len(accepted) >= JOBS, 300, "all are accepted")
    finally:
        enough.set()
        for caller in callers:
            caller.join()
    assert other == {}
    for node in nodes[:2]:
        node.launch()
    for node in nodes[:2]:
        node.wait_ready(120)

    def left() -> int:
        return int(stack.sql("SELECT COUNT(*) AS n FROM pdf_job_results WHERE status<>'completed'")[0]["n"])

    wait_until(lambda: left() == 0, 400, "every accepted job is completed")
    rows = {str(row["job_id"]) for row in stack.sql("SELECT job_id FROM pdf_job_results")}
    assert set(accepted) == rows
    assert len(rows) >= JOBS
    twice = stack.sql("SELECT job_id FROM attempts WHERE outcome='completed' GROUP BY job_id HAVING COUNT(*) > 1")
    assert twice == []
    wait_until(
        lambda: int(stack.sql("SELECT COUNT(*) AS n FROM deliveries WHERE status<>'recorded'")[0]["n"]) == 0,
        300,
        "every end is recorded",
    )
    kinds = stack.sql("SELECT kind, COUNT(*) AS n FROM workers GROUP BY kind ORDER BY kind")
    assert [(row["kind"], int(row["n"])) for row in kinds] == [("pdf", 4), ("webhooks", 2)]
