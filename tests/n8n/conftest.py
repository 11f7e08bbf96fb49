"""One n8n and one system for all runs: starting n8n takes a minute, so that it happens once."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ops.demo import Api
from ops.sample_report import SAMPLE
from ops.servers.mariadb import MariaDB
from ops.servers.process import free_port, wait_until
from ops.servers.receiver import Receiver
from ops.servers.tcp_proxy import TcpProxy
from ops.stack import ENDED, Stack
from schema.rows import pauses
from schema.sql.database import Database
from tests.embedded import own
from tests.n8n import node_flows, workflows
from tests.n8n.breaking_proxy import BreakingProxy
from tests.n8n.server import N8n

pytest.register_assert_rewrite("tests.n8n.crowds")
PRODUCT = "minatBakatUmum"
SECRET_TEXT = "0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(SECRET_TEXT.encode()).decode()
OTHER_SECRET = f"whsec_{'A' * 32}"
KEY = "rq_0123456789abcdef0123456789abcdef"
SCALE = 0.05
SWITCH_POLL = 0.5  # seconds between two looks of a process at the pauses
PATIENCE = 180.0  # seconds that something of a moment may take beside another lane on a busy machine


class System:
    """The stack as these tests speak of it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.url = stack.url
        self._report = json.loads(SAMPLE.read_text())

    def save_report(self, code: str) -> None:
        """Make a report of this code exist."""
        self.stack.save_report(code, PRODUCT, self._report)

    def job(self, job_id: str) -> dict[str, Any]:
        return self.stack.job(job_id)

    @contextmanager
    def held(self) -> Iterator[None]:
        """No job is started meanwhile."""
        db = Database(self.stack.mariadb.url)
        try:
            pauses.pause(db, "queue:pdf", reason="the test holds the jobs back", by="tests")
            time.sleep(2 * SWITCH_POLL)  # until then a worker may not have read it
            yield
        finally:
            pauses.resume(db, "queue:pdf")
            db.close()

    def post(self, path: str, body: Any = None) -> dict[str, Any]:
        answer = self.stack.call("POST", path, json=body or {})
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def pdf(self, job_id: str) -> bytes:
        """The stored PDF, as the store itself keeps it."""
        row = self.stack.sql("SELECT artifact_id FROM pdf_job_results WHERE job_id=%s", job_id)[0]
        return self.stack.drive.content(row["artifact_id"])

    def jobs(self, code: str) -> list[str]:
        """The ids of all jobs of a code, oldest first."""
        query = "SELECT job_id FROM pdf_job_results WHERE code=%s ORDER BY requested_at, job_id"
        return [row["job_id"] for row in self.stack.sql(query, code)]

    def answers(self, job_id: str) -> list[tuple[str, int | None]]:
        """What every callback of a job was answered: the verdict's name and the status."""
        query = (
            "SELECT a.verdict, a.status FROM delivery_attempts a JOIN deliveries d ON d.delivery_id = a.delivery_id "
            "WHERE d.job_id=%s ORDER BY d.round, a.number"
        )
        return [(row["verdict"], row["status"]) for row in self.stack.sql(query, job_id)]

    def wait_all(self, code: str, status: str, timeout: float = PATIENCE) -> list[str]:
        """The ids of a code's jobs once all of them have this status; the error tells the statuses there are."""
        query = "SELECT job_id, status, stage, published_at, start_no, error_code FROM pdf_job_results WHERE code=%s"
        try:
            wait_until(
                lambda: {row["status"] for row in self.stack.sql(query, code)} == {status},
                timeout,
                f"all jobs of {code} are {status}",
            )
        except TimeoutError as late:
            others = [row for row in self.stack.sql(query, code) if row["status"] != status]
            raise TimeoutError(f"{late}, but {others}") from None
        return self.jobs(code)

    def wait_told(self, job_id: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """The job once nothing is owed for it any more."""

        def told() -> bool:
            job = self.job(job_id)
            return job["status"] in ENDED and job["webhook"]["state"] not in ("pending", "not_due")

        wait_until(told, timeout, f"the end of {job_id} is told")
        return self.job(job_id)


@pytest.fixture(scope="session")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """Where messages for people go."""
    with Receiver(tmp_path_factory.mktemp("person")) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system on real servers, its callback schedule scaled down, its leases short, its store without a pace."""
    settings = {
        "REPORTQ_WEBHOOK_ALLOW": "127.0.0.0/8",
        "REPORTQ_WEBHOOK_SECRETS": SECRET,
        "REPORTQ_PASSWORD_KEYS": base64.b64encode(bytes(32)).decode(),
        "REPORTQ_WEBHOOK_SCALE": str(SCALE),
        "REPORTQ_HOST_PROBE_EVERY": "1",
        "REPORTQ_LEASE": "6",
        "REPORTQ_HEARTBEAT": "1.5",
        "REPORTQ_SWEEP": "0.5",
        "REPORTQ_SWITCH_POLL": f"{SWITCH_POLL:g}",
        "REPORTQ_DRIVE_WRITES": "100",
    }
    with Stack(tmp_path_factory.mktemp("stack"), settings=settings) as stack:
        yield System(stack)


@pytest.fixture(scope="session")
def breaking(system: System) -> Iterator[BreakingProxy]:
    """A proxy before the API that spoils answers when told to."""
    with BreakingProxy(system.url) as proxy:
        yield proxy


def _table(mariadb: MariaDB) -> dict[str, Any]:
    """n8n's MySQL credential for the table `pdf_job_results`."""
    return {
        "host": "127.0.0.1",
        "port": mariadb.port,
        "database": mariadb.database,
        "user": mariadb.user,
        "password": mariadb.password,
        "ssl": False,
        "sshTunnel": False,
    }


@pytest.fixture(scope="session")
def way(system: System) -> Iterator[TcpProxy]:
    """The way to the API that can be cut."""
    proxy = TcpProxy(system.stack.port)
    yield proxy
    proxy.stop()


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An embedded API that asks for a key, with small limits."""
    folder, port = tmp_path_factory.mktemp("keyed"), free_port()
    limits = {"REPORTQ_MAX_BODY": "100000", "REPORTQ_MAX_BATCH": "5"}
    allowed = {"REPORTQ_WEBHOOK_ALLOW": "127.0.0.0/8", "REPORTQ_API_KEYS": f"n8n:submit:{KEY}"}
    with Api(folder / "api", port, own(folder, port, **limits, **allowed)) as api:
        yield api


@pytest.fixture(scope="session")
def n8n(
    tmp_path_factory: pytest.TempPathFactory,
    system: System,
    person: Receiver,
    breaking: BreakingProxy,
    way: TcpProxy,
    keyed: Api,
) -> Iterator[N8n]:
    """n8n with our package, the shipped workflows and the tests' copies, published."""
    flows = workflows.shipped(system.url, tell=person.url("/tell"))
    server = N8n(tmp_path_factory.mktemp("n8n"))
    server.add_package()
    server.publish(
        [
            *flows.values(),
            *node_flows.shipped(),
            *node_flows.made(),
            workflows.impatient(flows[workflows.AWAIT]),
            workflows.dawdling(flows[workflows.AWAIT]),
            workflows.wrong_method(flows[workflows.AWAIT]),
            workflows.through(flows[workflows.MANY], breaking.url),
            workflows.hasty(flows[workflows.SYNC], breaking.url),
            workflows.untold(flows[workflows.ON_FAILURE]),
            workflows.by_sql(flows[workflows.TWO], "reportqTable"),
        ],
        [
            {"id": "reportqTable", "name": "reportqTable", "type": "mySql", "data": _table(system.stack.mariadb)},
            {
                "id": "reportqWebhookKey",
                "name": "reportq webhook secret",
                "type": "crypto",
                "data": {"hmacSecret": SECRET_TEXT},
            },
            node_flows.credential("reportqApiKey", system.url, secret=f"{OTHER_SECRET} {SECRET}"),
            node_flows.credential("throughTheWay", f"http://127.0.0.1:{way.port}/"),
            node_flows.credential("keyed", keyed.url, key=KEY),
            node_flows.credential("wrongKey", keyed.url, key="rq_wrong"),
        ],
    )
    with server:
        yield server


@pytest.fixture
def code(request: pytest.FixtureRequest, system: System) -> str:
    """The code of a report that exists, one a test."""
    name = f"n8n-{Path(request.node.name).name}"
    system.save_report(name)
    return name
