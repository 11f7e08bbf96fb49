"""GET /api/me: whose key it is and what it may send; nothing secret."""

from __future__ import annotations

from collections.abc import Callable

from schema.rows import keys as api_keys
from tests.api.conftest import KEYS, Api


def test_without_keys_a_program_of_this_machine_is_local(api: Api) -> None:
    limits = {"requests_per_minute": None, "body_bytes": 1_000_000, "max_batch": 500, "max_backlog": 100_000}
    assert api.get("/api/me").json == {
        "name": "local",
        "role": "operate",
        "limits": {**limits, "longest_wait": 60.0},
    }


def test_a_key_is_told_its_name_role_and_rate(api_of: Callable[..., Api]) -> None:
    api = api_of(api_keys=f"n8n:submit:{KEYS['submit']}", rate_limit=90, max_batch=7, max_body=5000)
    key = api_keys.make(api.db, "watcher", "read", by="test", rate=3)[1]
    fixed = api.get("/api/me", headers={"X-API-Key": KEYS["submit"]})
    made = api.get("/api/me", headers={"Authorization": f"Bearer {key}"})
    assert (fixed.json["name"], fixed.json["role"], fixed.json["limits"]["requests_per_minute"]) == (
        "n8n",
        "submit",
        90,
    )
    assert (made.json["name"], made.json["role"], made.json["limits"]["requests_per_minute"]) == ("watcher", "read", 3)
    assert (made.json["limits"]["max_batch"], made.json["limits"]["body_bytes"]) == (7, 5000)
    for secret in (KEYS["submit"], key, "key_"):
        assert secret not in fixed.text + made.text
    assert api.get("/api/me").status_code == 401
