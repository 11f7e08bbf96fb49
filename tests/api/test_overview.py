"""The overview while the database is away: an old picture is told as old, and the verdict says why."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ops.servers.process import wait_until
from schema.sql.database import Database
from tests.api.conftest import Api


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """While set, every statement hangs until the test is over."""
    freezes, over = threading.Event(), threading.Event()
    run = Database._run

    def hangs(self: Database, *args: Any) -> Any:
        if freezes.is_set():
            over.wait(60)
        return run(self, *args)

    monkeypatch.setattr(Database, "_run", hangs)
    yield freezes
    freezes.clear()
    over.set()


def facts(answer: Any) -> dict[str, str]:
    return {fact["key"]: fact["severity"] for fact in answer.json["verdict"]["facts"]}


def test_a_frozen_database_holds_no_face(api: Api, frozen: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each face answers with what was seen before, how old it is, and that the database does not answer."""
    monkeypatch.setattr("service.watch._STALE", 0.5)
    api = api.anew()
    seen = api.get("/api/overview").json
    assert seen["verdict"]["age"] is not None
    assert "database_down" not in facts(api.get("/readyz"))
    frozen.set()
    wait_until(lambda: facts(api.get("/api/overview")).get("database_down") == "bad", 30, "the overview tells it")
    told = api.get("/api/overview")
    assert (told.status_code, told.json["verdict"]["state"]) == (200, "bad")
    assert told.json["at"] == seen["at"], "what was seen before says when that was"
    assert told.json["verdict"]["age"] > 0
    wait_until(lambda: api.get("/readyz").status_code == 503, 30, "what was seen a second ago counts no more")
    ready = api.get("/readyz")
    assert (ready.status_code, ready.json["down"][0], facts(ready)["database_down"]) == (503, "database", "bad")
    assert frozen.is_set(), "all of this while it was frozen"


def test_a_process_that_has_seen_nothing_says_so(api: Api, frozen: threading.Event) -> None:
    frozen.set()
    answer = api.get("/api/overview")
    assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable")
    assert frozen.is_set()


def test_who_opens_the_overview_when_the_database_is_away_is_told_why(api: Api, frozen: threading.Event) -> None:
    """The process knows its keys from another call, and has no older picture to show."""
    assert api.get("/api/me").status_code == 200
    frozen.set()
    answer = api.get("/api/overview")
    assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable")
    assert (answer.json["verdict"]["state"], facts(answer)["database_down"]) == ("bad", "bad")
    assert frozen.is_set()
