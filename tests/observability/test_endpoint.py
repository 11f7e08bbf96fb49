"""GET /metrics: who may read it, what it says while the database is away, and how often it reads the rows."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import falcon.testing
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ops.servers.packages import need
from ops.servers.process import wait_until
from schema.settings import Settings
from schema.sql.database import Database, DatabaseDown
from schema.sql.migrate import migrate
from service.app import ApiParts, create_app
from tests.protocol.kit import Files, Reports

KEYS = "n8n:submit:submit-key-0123456789,prometheus:read:read-key-0123456789"
LOCAL = {"Host": "127.0.0.1:8000"}


class Counting(Database):
    """A database that counts questions, and can be away."""

    asked = 0
    away = False
    hangs: threading.Event | None = None

    def fetch_all(self, sql: str, params: Any = (), **of: Any) -> list[Any]:
        self.asked += "GROUP BY status, priority" in sql
        if self.hangs is not None and "GROUP BY status, priority" in sql:
            self.hangs.wait(60)
        if self.away:
            raise DatabaseDown("It is away.")
        return super().fetch_all(sql, params, **of)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Counting]:
    database = Counting(f"sqlite:///{tmp_path / 'metrics.db'}")
    migrate(database)
    yield database
    database.close()


def client_of(db: Database, tmp_path: Path, **settings: Any) -> falcon.testing.TestClient:
    chosen = Settings(run_dir=str(tmp_path / "run"), broker_url="amqp://unused", **settings)
    return falcon.testing.TestClient(
        create_app(
            ApiParts(
                settings=chosen,
                db=db,
                documents=Reports(),
                artifacts=Files(),
                wake=lambda: None,
                broker_ping=lambda: None,
            )
        )
    )


def samples(text: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def test_it_is_open_on_loopback_and_nowhere_else(db: Counting, tmp_path: Path) -> None:
    client = client_of(db, tmp_path)
    assert client.simulate_get("/metrics", headers=LOCAL).status_code == 200
    assert client.simulate_get("/metrics", headers={"Host": "reports.example"}).status_code == 403


def test_with_keys_it_needs_one_that_may_read(db: Counting, tmp_path: Path) -> None:
    client = client_of(db, tmp_path, api_keys=KEYS)
    assert client.simulate_get("/metrics", headers=LOCAL).status_code == 401
    answer = client.simulate_get("/metrics", headers={**LOCAL, "Authorization": "Bearer read-key-0123456789"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")


def test_promtool_finds_nothing_to_complain_of(db: Counting, tmp_path: Path) -> None:
    need("prometheus")
    text = client_of(db, tmp_path).simulate_get("/metrics", headers=LOCAL).text
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_many_scrapes_read_the_rows_once(db: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.routes.metrics._EVERY", 3600.0)
    client = client_of(db, tmp_path)
    for _ in range(20):
        client.simulate_get("/metrics", headers=LOCAL)
    assert db.asked == 1


def test_known_causes_of_dead_letters_are_told_as_zero(db: Counting, tmp_path: Path) -> None:
    """An alert on growth compares sums: what is new must not be told from nothing, nor what stood before from zero."""
    shown = samples(client_of(db, tmp_path).simulate_get("/metrics", headers=LOCAL).text)["reportq_dead_letters_open"]
    told = {(s.labels["queue"], s.labels["code"]): s.value for s in shown}
    assert told[("pdf", "invalid_data")] == told[("webhooks", "webhook_gone")] == 0


def test_without_its_database_it_says_that_nothing_is_accepted(db: Counting, tmp_path: Path) -> None:
    client = client_of(db, tmp_path)
    client.simulate_get("/openapi.json", headers=LOCAL)  # whether keys are needed is known from before
    db.away = True
    shown = samples(client.simulate_get("/metrics", headers=LOCAL).text)
    assert [s.value for s in shown["reportq_accepting"]] == [0]
    assert "reportq_jobs" not in shown  # no old number is passed off as the present
    assert "reportq_submissions_total" in shown


def test_a_database_that_hangs_does_not_hang_the_scrape(
    db: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.routes.metrics._PATIENCE", 0.05)
    for name in ("_EVERY", "_RARER"):
        monkeypatch.setattr(f"service.routes.metrics.{name}", 0.0)
    client = client_of(db, tmp_path)

    def accepting() -> list[float]:
        return [s.value for s in samples(client.simulate_get("/metrics", headers=LOCAL).text)["reportq_accepting"]]

    wait_until(lambda: accepting() == [1], 20, "the rows are read")
    db.hangs = threading.Event()
    try:
        assert accepting() == [1], "the reading before is young enough"
        monkeypatch.setattr("service.routes.metrics._FRESH", 0.0)
        assert accepting() == [0]
    finally:
        db.hangs.set()
    wait_until(lambda: accepting() == [1], 20, "the rows are read again")


def test_dependencies_are_asked_beside_the_scrape(db: Counting, tmp_path: Path) -> None:
    client = client_of(db, tmp_path)

    def told() -> dict[str, float]:
        shown = samples(client.simulate_get("/metrics", headers=LOCAL).text)
        return {s.labels["dependency"]: s.value for s in shown.get("reportq_dependency_up", [])}

    wait_until(lambda: len(told()) == 4, 20, "every dependency was asked")
    assert set(told().values()) == {1.0}


def test_what_becomes_of_requests_is_counted(db: Counting, tmp_path: Path) -> None:
    client = client_of(db, tmp_path)
    body = {"code": "A", "productId": "p", "priority": "high"}
    key = {**LOCAL, "Idempotency-Key": "k-1"}
    for _ in range(2):
        assert client.simulate_post("/api/reports/generate-async", json=body, headers=key).status_code == 202
    client.simulate_post("/api/reports/generate-async", json={"code": "A"}, headers=LOCAL)
    job = client.simulate_post("/api/reports/generate-async", json=body, headers=LOCAL).json["job_id"]
    for _ in range(2):  # the second one changes nothing
        client.simulate_post(f"/api/jobs/{job}/cancel", headers=LOCAL)
    batch = client.simulate_post("/api/reports/batch", json={"jobs": [body] * 2}, headers=LOCAL).json["batch_id"]
    for _ in range(2):
        client.simulate_post(f"/api/batches/{batch}/cancel", headers=LOCAL)
    shown = samples(client.simulate_get("/metrics", headers=LOCAL).text)
    assert {s.labels["result"]: s.value for s in shown["reportq_submissions_total"]} == {
        "accepted": 4, "refused": 1, "over_rate": 0, "limited": 0, "unavailable": 0,
    }  # fmt: skip
    assert {s.labels["priority"]: s.value for s in shown["reportq_jobs_submitted_total"]} == {
        "high": 4, "normal": 0, "low": 0,
    }  # fmt: skip
    assert [s.value for s in shown["reportq_jobs_cancelled_waiting_total"]] == [3]
    assert not [s for s in shown["reportq_http_request_duration_seconds_count"] if job in s.labels["route"]]
