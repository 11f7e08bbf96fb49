"""`password` over HTTP: taken, refused in plain words, told to nobody."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from schema.rows.passwords import opened
from tests.api.conftest import BODY, Api
from tests.api.test_retention import sweep

KEY, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
WORD = "sesame-4711"
PATHS = ("/api/reports/generate-async", "/api/reports/generate", "/api/reports/batch")


@pytest.fixture
def api(api_of: Callable[..., Api]) -> Api:
    return api_of(password_keys=KEY)


def body_of(path: str, **more: Any) -> dict[str, Any]:
    one = {**BODY, "password": WORD, **more}
    return {"jobs": [BODY, one]} if path.endswith("batch") else one


def ask(api: Api, path: str, body: Any, key: str | None = None) -> Any:
    headers = {"Prefer": "respond-async", **({"Idempotency-Key": key} if key else {})}
    return api.post(path, body, headers=headers)


@pytest.mark.parametrize("path", PATHS)
def test_every_endpoint_takes_it_and_the_row_holds_it_sealed(api: Api, path: str) -> None:
    for inline in ({}, {"data": {"a": 1}}):
        answer = ask(api, path, body_of(path, **inline))
        assert answer.status_code == 202, answer.text
        rows = api.db.fetch_all("SELECT * FROM pdf_job_results WHERE sealed_password IS NOT NULL")
        assert [opened([KEY], row["sealed_password"]) for row in rows] == [WORD]
        for told in (answer.text, str(rows), api.get("/api/jobs").text, api.get(f"/api/jobs/{rows[0]['job_id']}").text):
            assert WORD not in told
            assert rows[0]["sealed_password"] not in api.get("/api/jobs").text
        api.db.execute("DELETE FROM pdf_job_results")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("", "must not be empty"), ("x" * 128, "must have at most 127 characters"), (4711, "must be text, not a number"),
        *(
            (odd, "must be printable ASCII characters, without a blank at either end")
            for odd in (" x", "x ", " ", "x\n", "a\tb", "pässword", "a\u00a0b", "\u202e", "a\u0000b", "🔑")
        ),
    ],
)  # fmt: skip
def test_what_no_reader_could_type_is_refused_with_what_is_allowed(
    api: Api, path: str, password: Any, told: str
) -> None:
    answer = ask(api, path, body_of(path, password=password))
    field = "jobs[1].password" if path.endswith("batch") else "password"
    assert (answer.status_code, answer.json["code"], answer.json["errors"]) == (422, "invalid_request", {field: told})
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0


@pytest.mark.parametrize("path", PATHS)
def test_without_keys_it_is_refused_before_anything_is_written(api_of: Callable[..., Api], path: str) -> None:
    api = api_of()
    for key in (None, "k"):
        answer = ask(api, path, body_of(path), key)
        assert (answer.status_code, answer.json["code"]) == (422, "passwords_disabled")
        assert "REPORTQ_PASSWORD_KEYS" in answer.json["next_step"]
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == api.db.scalar("SELECT COUNT(*) FROM batches") == 0
    assert ask(api, path, body_of(path, password=None)).status_code == 202


@pytest.mark.parametrize("path", PATHS)
def test_it_belongs_to_the_request_that_an_idempotency_key_repeats(api: Api, path: str) -> None:
    def answers(word: str | None) -> tuple[int, bool]:
        answer = ask(api, path, body_of(path, password=word), "k")
        return answer.status_code, "idempotent-replayed" in answer.headers

    assert answers(WORD) == (202, False)
    assert answers(WORD) == (202, True)
    assert answers("sesame-4712") == (422, False)
    assert answers(None) == (422, False)
    api.db.execute(f"UPDATE pdf_job_results SET sealed_password=NULL, status='completed', ended_at={api.db.now()}")
    assert answers(WORD) == (202, True)
    assert answers("sesame-4712") == (422, False)


def test_no_column_lets_anybody_try_passwords(api: Api) -> None:
    """The same request with the same password has another fingerprint under another key."""
    found = set()
    for keys in (KEY, OTHER):
        ask(api.anew(password_keys=keys), PATHS[0], body_of(PATHS[0]), "k")
        found.add(api.db.scalar("SELECT fingerprint FROM pdf_job_results"))
        api.db.execute("DELETE FROM pdf_job_results")
    assert len(found) == 2


def test_a_used_key_still_knows_it_when_the_row_is_gone(api: Api) -> None:
    job_id = ask(api, PATHS[0], body_of(PATHS[0]), "k").json["job_id"]
    api.end(job_id)
    api.db.execute("UPDATE pdf_job_results SET ended_at='2020-01-01 00:00:00', callback=NULL")
    api.db.execute(
        "INSERT INTO deliveries (delivery_id, job_id, round, status, event, record, owed_at, run_at, recorded_at) "
        f"VALUES ('dlv_1', %s, 1, 'recorded', 'completed', '{{}}', {', '.join([api.db.now()] * 3)})",
        (job_id,),
    )
    sweep(api.db)
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0
    again = ask(api, PATHS[0], body_of(PATHS[0]), "k")
    assert (again.status_code, again.json["job_id"]) == (202, job_id)
    assert ask(api, PATHS[0], body_of(PATHS[0], password="other"), "k").json["code"] == "idempotency_key_reused"


def test_the_description_says_that_it_is_written_and_never_read(api: Api) -> None:
    properties = api.get("/openapi.json").json["components"]["schemas"]["Submission"]["properties"]
    (given,) = [one for one in properties["password"]["anyOf"] if one.get("type") == "string"]
    assert (given["format"], given["writeOnly"], given["maxLength"]) == ("password", True, 127)
