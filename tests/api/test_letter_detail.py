"""One dead letter over HTTP: its traceback is for operators."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schema.rows import letters
from schema.sql.database import Database
from tests.api.conftest import KEYS, Api


def bury(db: Database, api: Api, **options: object) -> str:
    answer = api.post("/api/reports/generate-async", {"code": "K1", "productId": "p"}, **options)
    row = api.row(answer.json["job_id"])
    return letters.bury_job(db, row, "render_failed", "It broke.", "Traceback: secret place")


def test_without_keys_the_whole_letter_is_shown(api: Api, db: Database) -> None:
    letter = bury(db, api)
    shown = api.get(f"/api/dead-letters/{letter}")
    assert shown.status_code == 200, shown.text
    assert shown.json["traceback"] == "Traceback: secret place"


def test_a_traceback_is_for_operators(api_of: Callable[..., Api], db: Database) -> None:
    keys = ",".join(f"{role}er:{role}:{key}" for role, key in KEYS.items())
    api = api_of(api_keys=keys)
    letter = bury(db, api, headers={"X-API-Key": KEYS["submit"]})
    for role, told in (("read", None), ("operate", "Traceback: secret place")):
        shown = api.get(f"/api/dead-letters/{letter}", headers={"X-API-Key": KEYS[role]})
        assert shown.status_code == 200, shown.text
        assert shown.json["traceback"] == told


def test_a_slow_rate_holds_no_request_longer_than_its_time(
    api: Api, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One letter in 100 seconds: the request ends when its time is up, says what remains, and is repeated."""
    monkeypatch.setattr("service.routes.dead_letters._SECONDS", 0.3)
    letters = [bury(db, api) for _ in range(3)]
    db.execute("UPDATE pdf_job_results SET status='failed'")
    asked = {"filter": {}, "rate": 0.01, "trial": 0}
    for left in (2, 1, 0):
        summary = api.post("/api/dead-letters/replay", asked).json
        assert summary["outcomes"] == {"replayed": 1}
        assert (summary["remaining"], summary["interrupted"]) == (left, left > 0)
    assert len(letters) == 3
    assert api.post("/api/dead-letters/replay", {**asked, "rate": 0.009}).status_code == 422
