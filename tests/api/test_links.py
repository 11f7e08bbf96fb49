"""Links for readers: one button, one PDF, no key, and nothing else within reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import falcon.testing
import pytest

from actors.desk.erasure import erase
from actors.housekeeping.retention import Retention
from tests.api.conftest import KEYS, Api
from tests.api.test_retention import finished, sweep

PDF = b"%PDF-1.7 done"
SUBMITTER = {"X-API-Key": KEYS["submit"]}
ODD = [
    "x",
    "a" * 42,
    "a" * 44,
    "%0a" + "a" * 42,
    "..",
    "%00",
    "%2e%2e%2f",
    "\u00e9" * 40,
    "'; DROP TABLE links; --",
    "a" * 2000,
]


def link_of(api: Api, job_id: str, body: Any = None, **options: Any) -> dict[str, Any]:
    answer = api.post(f"/api/jobs/{job_id}/links", body, **options)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def path_of(link: dict[str, Any]) -> str:
    return urlsplit(link["url"]).path


def press(api: Api, link: dict[str, Any]) -> falcon.testing.Result:
    """As a browser's form does."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://127.0.0.1"}
    return api.client.simulate_post(path_of(link), body="", headers=headers, host="127.0.0.1")


def test_the_button_sends_the_pdf_and_a_preview_counts_nothing(api: Api) -> None:
    job_id = api.submit()
    api.end(job_id)
    link = link_of(api, job_id, {"uses": 2})
    for _ in range(5):
        page = api.get(path_of(link))
        assert page.status_code == 200
        assert '<form method="post"><button>' in page.text
        assert page.headers["x-robots-tag"] == "noindex, nofollow"
        assert "form-action 'self'" in page.headers["content-security-policy"]
        assert not {job_id, "K1"} & set(page.text.replace('"', " ").split())
    for _ in range(2):
        answer = press(api, link)
        assert (answer.status_code, answer.content) == (200, PDF)
        assert answer.headers["content-disposition"] == 'attachment; filename="p-K1.pdf"'
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    used_up = press(api, link)
    assert (used_up.status_code, used_up.headers["content-type"].partition(";")[0]) == (404, "text/html")
    assert "tidak berlaku" in used_up.text


def test_a_link_ends_by_time_and_by_revocation(api: Api) -> None:
    job_id, other = api.submit(), api.submit()
    api.end(job_id)
    link, kept = link_of(api, job_id), link_of(api, job_id, {"expires_in": 60})
    assert (link["uses"], press(api, link).status_code) == (None, 200)
    assert api.client.simulate_delete(f"/api/jobs/{other}/links/{link['link_id']}", host="127.0.0.1").status_code == 404
    path = f"/api/jobs/{job_id}/links/{link['link_id']}"
    assert api.client.simulate_delete(path, host="127.0.0.1").json == {"link_id": link["link_id"], "revoked": True}
    assert api.client.simulate_delete(path, host="127.0.0.1").json["code"] == "link_not_found"
    assert (press(api, link).status_code, press(api, kept).status_code) == (404, 200)
    api.db.execute(f"UPDATE links SET expires_at={api.db.later(-1)}")
    assert press(api, kept).status_code == 404
    sweep(api.db)
    assert api.db.scalar("SELECT COUNT(*) FROM links") == 0


def test_the_token_is_kept_nowhere(api: Api) -> None:
    job_id = api.submit()
    api.end(job_id)
    token = path_of(link_of(api, job_id)).rpartition("/")[2]
    assert len(token) == 43
    assert token not in str(api.db.fetch_all("SELECT * FROM links"))


@pytest.mark.parametrize("token", ODD)
def test_what_is_no_token_opens_nothing(api: Api, token: str) -> None:
    for answer in (api.get(f"/l/{token}"), api.post(f"/l/{token}")):
        assert answer.status_code == 404
        assert "<button>" not in answer.text


def test_a_page_does_not_tell_whether_its_link_still_opens(api: Api) -> None:
    job_id = api.submit()
    api.end(job_id)
    link = link_of(api, job_id)
    page, wrong = api.get(path_of(link)), api.get(f"/l/{'a' * 43}")
    assert (page.status_code, page.text) == (wrong.status_code, wrong.text)
    assert api.post(f"/l/{'a' * 43}").status_code == 404


@pytest.mark.parametrize(
    ("status", "code"), [("failed", "job_failed"), ("cancelled", "job_cancelled"), (None, "not_ready")]
)
def test_only_a_pdf_that_there_is_gets_a_link(api: Api, status: str | None, code: str) -> None:
    job_id = api.submit()
    if status:
        api.end(job_id, status)
    answer = api.post(f"/api/jobs/{job_id}/links")
    assert (answer.status_code, answer.json["code"]) == (409, code)
    assert api.post("/api/jobs/pdf_none/links").status_code == 404


@pytest.mark.parametrize(
    "body",
    [{"uses": 0}, {"uses": -1}, {"uses": 1.5}, {"expires_in": 59}, {"expires_in": 1e9}, {"expires_in": True}, {"x": 1}],
)
def test_what_a_link_cannot_be(api: Api, body: Any) -> None:
    job_id = api.submit()
    api.end(job_id)
    answer = api.post(f"/api/jobs/{job_id}/links", body)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")


def test_a_reader_without_a_key_reaches_nothing_else(api_of: Callable[..., Api]) -> None:
    api = api_of(api_keys=f"s:submit:{KEYS['submit']},r:read:{KEYS['read']}", public_url="https://reports.example/q")
    answer = api.post("/api/reports/generate-async", {"code": "K1", "productId": "p"}, headers=SUBMITTER)
    job_id = answer.json["job_id"]
    api.end(job_id)
    link = link_of(api, job_id, headers=SUBMITTER)
    assert link["url"].startswith("https://reports.example/q/l/")
    assert press(api, link).content == PDF
    for path in (f"/api/jobs/{job_id}", f"/api/jobs/{job_id}/download", "/api/jobs", f"{path_of(link)}/../../api/jobs"):
        assert api.get(path).status_code in (401, 404)
    assert api.post(f"/api/jobs/{job_id}/links").status_code == 401
    assert api.post(f"/api/jobs/{job_id}/links", headers={"X-API-Key": KEYS["read"]}).status_code == 403


def test_a_use_that_served_nothing_is_given_back(api: Api) -> None:
    job_id = api.submit()
    api.end(job_id)
    link = link_of(api, job_id, {"uses": 1})
    api.db.execute("UPDATE pdf_job_results SET status='queued' WHERE job_id=%s", (job_id,))
    assert press(api, link).status_code == 404
    api.db.execute("UPDATE pdf_job_results SET status='completed' WHERE job_id=%s", (job_id,))
    assert [press(api, link).status_code for _ in range(2)] == [200, 404]


def test_a_link_opened_too_often_is_told_to_wait(api: Api) -> None:
    job_id = api.submit()
    api.end(job_id)
    link, other = link_of(api, job_id), link_of(api, job_id)
    answers = [press(api, link) for _ in range(31)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert press(api, other).status_code == 200


def test_a_link_outlives_the_row_and_goes_with_the_person(api: Api) -> None:
    job_id = finished(api)
    link = link_of(api, job_id)
    assert Retention(api.db, keep=3600, keep_letters=3600).step(30) == 1
    assert press(api, link).content == b"%PDF-1.7 kept"
    erase(api.db, api.documents, api.artifacts, "K1", by="test")
    assert api.db.scalar("SELECT COUNT(*) FROM links") == 0
    assert press(api, link).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_a_wrong_method_is_one_for_everybody(api_of: Callable[..., Api], method: str) -> None:
    api = api_of(api_keys=f"s:submit:{KEYS['submit']}")
    for headers in ({}, SUBMITTER):
        answer = api.client.simulate_request(method, "/l/" + "a" * 43, headers=headers)
        assert answer.status_code == 405
