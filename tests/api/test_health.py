"""Probes: cheap whoever sends them, honest about what is not known, and silent about places to strangers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from schema.errors import DependencyDown
from schema.rows import workers
from schema.rows.workers import Card
from service.routes import docs
from tests.api.conftest import KEYS, Api

ENV_KEYS = ",".join(f"{role}er:{role}:{key}" for role, key in KEYS.items())


@pytest.fixture
def hanging() -> Iterator[Callable[[], None]]:
    """A ping that answers nobody until the test is over; `.asked` counts."""
    over = threading.Event()

    def ping() -> None:
        ping.asked += 1  # type: ignore[attr-defined]
        over.wait(60)

    ping.asked = 0  # type: ignore[attr-defined]
    yield ping
    over.set()


def test_a_part_that_hangs_holds_no_probe(api: Api, monkeypatch: pytest.MonkeyPatch, hanging: Any) -> None:
    monkeypatch.setattr("service.routes.health._WAIT", 0.1)
    monkeypatch.setattr(api.artifacts, "ping", hanging)
    api = api.anew()
    for _ in range(5):
        ready = api.get("/readyz")
        assert ready.status_code == 200
        assert ready.json["parts"]["artifacts"]["state"] == "unknown"
        assert "artifacts" not in ready.json["down"]
    assert hanging.asked == 1
    assert ready.json["parts"]["documents"]["state"] == "up"


def test_places_are_told_to_callers_with_a_key(api_of: Callable[..., Api], monkeypatch: pytest.MonkeyPatch) -> None:
    def ping() -> None:
        raise DependencyDown("folder", "The folder /srv/people/pdf cannot be written.")

    for chosen, headers, told in (
        ({"api_keys": ENV_KEYS}, {}, False),
        ({"api_keys": ENV_KEYS}, {"X-API-Key": "wrong"}, False),
        ({"api_keys": ENV_KEYS}, {"X-API-Key": KEYS["read"]}, True),
        ({}, {}, True),
        ({}, {"Host": "evil.example"}, False),
        ({}, {"Origin": "http://evil.example"}, False),
    ):
        api = api_of(**chosen)
        monkeypatch.setattr(api.artifacts, "ping", ping)
        ready = api.anew().get("/readyz", headers=headers)
        assert ready.status_code == 200
        assert ready.json["status"] == "degraded"
        assert set(ready.json["down"]) == {"artifacts", "workers"}
        assert ("/srv/people/pdf" in ready.text) is told, (chosen, headers)
        assert ("No worker" in ready.text) is told


def test_processes_whose_threads_are_dead_serve_nothing(api: Api) -> None:
    for queue, threads in (("pdf", 0), ("webhooks", 16)):
        workers.seen(api.db, Card(f"w/{queue}", queue, "host", 1, threads, "0"), busy=0)
    try:
        ready = api.anew().get("/readyz").json
    finally:
        for queue in ("pdf", "webhooks"):
            workers.leave(api.db, f"w/{queue}")
    assert ready["parts"]["workers"] == {"state": "down", "detail": "No worker serves pdf."}


def test_descriptions_are_made_once_and_not_for_each_who_asks(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    document = docs.document

    def counted(server: str, *, secured: bool) -> dict[str, Any]:
        made.append(server)
        return document(server, secured=secured)

    monkeypatch.setattr(docs, "document", counted)
    server = f"https://{api.db.dialect}.example"
    api = api.anew(public_url=server)
    for path in ("/openapi.json", "/docs"):
        assert api.get(path).content == api.get(path).content
    assert made == [server, server]
