"""The overview while the database is away: an old picture is not told as how things stand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from schema.sql.database import DatabaseDown
from tests.api.conftest import Api


def test_an_overview_of_before_the_outage_is_not_told_for_ever(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(moment=1000.0, monotonic=lambda: clock.moment)
    monkeypatch.setattr("schema.sql.cached.time", clock)
    assert api.get("/api/overview").json["accepting"] is True

    def away(*_: object, **__: object) -> None:
        raise DatabaseDown("The database did not answer.")

    with monkeypatch.context() as outage:
        for name in ("fetch_all", "fetch_one", "scalar"):
            outage.setattr(api.db, name, away)
        clock.moment += 9
        assert api.get("/api/overview").status_code == 200
        clock.moment += 2
        answer = api.get("/api/overview")
        assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable")
    clock.moment += 3
    assert api.get("/api/overview").status_code == 200
