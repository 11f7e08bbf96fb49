"""One dead letter over HTTP: its traceback is for operators."""

from __future__ import annotations

from collections.abc import Callable

from schema import dead_letters
from schema.database import Database
from tests.api.conftest import KEYS, Api


def bury(db: Database, api: Api, **options: object) -> str:
    answer = api.post("/api/reports/generate-async", {"code": "K1", "productId": "p"}, **options)
    row = api.row(answer.json["job_id"])
    return dead_letters.bury_job(db, row, "render_failed", "It broke.", "Traceback: secret place")


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
