"""The API in this process on both databases, with nobody at work behind it; and the whole system, once, on servers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import falcon.testing
import pytest

from actors.artifacts import open_artifacts
from ops.servers.mariadb import MariaDB
from ops.stack import Stack
from schema.documents import open_documents
from schema.ports import Artifacts, Documents
from schema.rows import jobs
from schema.settings import Settings
from schema.sql.database import Database, Row
from schema.sql.migrate import migrate
from service.app import ApiParts, create_app
from tests.protocol.kit import TABLES

BODY = {"code": "K1", "productId": "p"}


@dataclass
class Api:
    """One application and what stands behind it."""

    client: falcon.testing.TestClient
    db: Database
    documents: Documents
    artifacts: Artifacts
    settings: Settings

    def anew(self, **chosen: Any) -> Api:
        """A new application over the same parts, which a test has changed meanwhile, and with these settings."""
        settings = replace(self.settings, **chosen)
        parts = ApiParts(settings, self.db, self.documents, self.artifacts, wake=lambda: None, broker_ping=lambda: None)
        return replace(self, client=falcon.testing.TestClient(create_app(parts)), settings=settings)

    def get(self, path: str, **options: Any) -> falcon.testing.Result:
        return self.client.simulate_get(path, host="127.0.0.1", **options)

    def post(self, path: str, json: Any = None, **options: Any) -> falcon.testing.Result:
        return self.client.simulate_post(path, json=json, host="127.0.0.1", **options)

    def submit(self, **body: Any) -> str:
        answer = self.post("/api/reports/generate-async", {**BODY, **body})
        assert answer.status_code == 202, answer.text
        return str(answer.json["job_id"])

    def row(self, job_id: str) -> Row:
        row = jobs.find(self.db, job_id)
        assert row is not None
        return row

    def end(self, job_id: str, status: str = "completed", pdf: bytes = b"%PDF-1.7 done", **columns: Any) -> None:
        """The job has ended, as a worker would have left it (without its delivery)."""
        artifact = self.artifacts.reserve()
        if status == "completed":
            self.artifacts.put(artifact, f"{job_id}.pdf", pdf, replace=False, labels={})
            columns = {"artifact_id": artifact, **columns}
        sets = "".join(f", {name}=%s" for name in columns)
        self.db.execute(
            f"UPDATE pdf_job_results SET status=%s, ended_at={self.db.now()}, progress=100{sets} WHERE job_id=%s",
            (status, *columns.values(), job_id),
        )


@pytest.fixture(params=["sqlite", "mariadb"])
def db(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty, migrated database."""
    url = str(request.getfixturevalue(f"{request.param}_url"))
    database = Database(url)
    database.transaction(lambda: [database.defer(f"DELETE FROM {table}") for table in (*TABLES, "api_keys")])
    yield database
    database.close()


@pytest.fixture(scope="session")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return migrated(f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'api.db'}")


@pytest.fixture(scope="session")
def mariadb_url(mariadb: MariaDB) -> str:
    """Without TLS: a connection that may speak it reads all authorities first, which takes 35 ms."""
    return migrated(f"{mariadb.url}?ssl-mode=DISABLED")


def migrated(url: str) -> str:
    database = Database(url)
    migrate(database)
    database.close()
    return url


@pytest.fixture
def api_of(db: Database, tmp_path: Path) -> Callable[..., Api]:
    """An application with settings of the test's own."""

    def make(**chosen: Any) -> Api:
        settings = Settings(**{"run_dir": str(tmp_path / "run"), "webhook_allow": "hooks.example", **chosen})
        documents = open_documents("database:", db)
        artifacts = open_artifacts(Settings(artifacts_url=f"file:{tmp_path / 'artifacts'}"))
        parts = ApiParts(settings, db, documents, artifacts, wake=lambda: None, broker_ping=lambda: None)
        return Api(falcon.testing.TestClient(create_app(parts)), db, documents, artifacts, settings)

    return make


@pytest.fixture
def api(api_of: Callable[..., Api]) -> Api:
    """The usual application: on loopback, without keys."""
    return api_of()


KEYS = {
    "read": "reader-key-0123456789",
    "submit": "submitter-key-0123456789",
    "operate": "operator-key-0123456789",
}


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system on real servers, with a key for each role."""
    settings = {
        "REPORTQ_API_KEYS": ",".join(f"{role}er:{role}:{key}" for role, key in sorted(KEYS.items())),
        "REPORTQ_METRICS_PORT": "0",
        "REPORTQ_LONGEST_WAIT": "0.2",
        "REPORTQ_PASSWORD_KEYS": base64.b64encode(bytes(32)).decode(),
    }
    with Stack(tmp_path_factory.mktemp("system"), settings=settings) as stack:
        yield stack
