"""What a PDF is called: as the caller says, else as the settings say; and never anything a file system chokes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest

from schema.http import requests
from schema.rows.file_names import disposition, file_name
from schema.settings import Settings, SettingsError
from tests.api.conftest import Api
from tests.api.test_retention import finished, sweep

JOB: dict[str, Any] = {
    "product_id": "minat", "code": "K1", "job_id": "pdf_1", "requested_at": "2026-03-04 23:00:00", "file_name": None
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (None, "minat-K1.pdf"), ("Ani", "Ani.pdf"), ("Ani.PDF", "Ani.pdf"), ("a.b", "a.b.pdf"),
        ("Ani/../Budi", "Ani_.._Budi.pdf"),
        ("..", "report.pdf"), (".pdf", "report.pdf"), (" . ", "report.pdf"), ('a"b\\c:d*e?f<g>h|i', "a_b_c_d_e_f_g_h_i.pdf"),
        ("a\u2028b\u202ec\ud800", "a_b_c_.pdf"), ("Laporan Ñ 王 🎉", "Laporan Ñ 王 🎉.pdf"), ("{code}", "{code}.pdf"),
    ],
)  # fmt: skip
def test_a_name_is_one_that_every_system_takes(given: str | None, name: str) -> None:
    assert file_name({**JOB, "file_name": given}, Settings().file_name) == name


def test_a_long_name_is_cut_between_characters() -> None:
    for letter in ("a", "é", "王", "🎉"):
        name = file_name({**JOB, "file_name": letter * 255}, "")
        assert name.endswith(letter + ".pdf")
        assert 196 < len(name.encode()) <= 204


def test_the_template_is_the_operators() -> None:
    assert file_name(JOB, "{date} {code} {job_id}") == "2026-03-04 K1 pdf_1.pdf"
    assert file_name({**JOB, "code": "{job_id}"}, "{code}") == "{job_id}.pdf"
    with pytest.raises(SettingsError, match=r"REPORTQ_FILE_NAME: read \{name\}; allowed: the fields product_id, code"):
        Settings.from_env({"REPORTQ_FILE_NAME": "{code}-{name}"})


@pytest.mark.parametrize("name", ["a b.pdf", "Ñ 王 🎉'()*.pdf", "100 %.pdf", "a;b=c,d.pdf"])
def test_the_header_is_ascii_and_tells_the_whole_name(name: str) -> None:
    header = disposition(name, "inline")
    assert header.isascii()
    assert header.startswith('inline; filename="')
    told = unquote(header.partition("filename*=UTF-8''")[2]) or header.split('"')[1]
    assert told == name


def test_the_callers_name_is_on_the_download_also_when_the_row_is_gone(api: Api, api_of: Callable[..., Api]) -> None:
    api.db.execute("DELETE FROM pdf_job_results")
    job_id = finished(api, file_name="Laporan Ñ")
    for _ in range(2):
        header = api.get(f"/api/jobs/{job_id}/download").headers["content-disposition"]
        assert header == "inline; filename=\"Laporan _.pdf\"; filename*=UTF-8''Laporan%20%C3%91.pdf"
        sweep(api.db)
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0
    unnamed = finished(api)
    header = api_of(file_name="{code}").get(f"/api/jobs/{unnamed}/download").headers["content-disposition"]
    assert header == 'inline; filename="K1.pdf"'


def test_a_name_is_part_of_the_request_and_none_changes_no_fingerprint() -> None:
    def fingerprint(body: bytes) -> str:
        return requests.fingerprint(requests.read(body, requests.Submission))

    bare = fingerprint(b'{"code":"K1","productId":"p"}')
    # What a release without file names has written beside this request's key.
    assert bare == "e2e9f5e378520398802e8bf57240c69387079a42f80610878b4b40d26a65ebfa"
    assert fingerprint(b'{"code":"K1","productId":"p","fileName":null}') == bare
    assert fingerprint(b'{"code":"K1","productId":"p","fileName":"Ani"}') != bare


@pytest.mark.parametrize("name", ["", "a\nb", "a" * 256, 7, ["a"]])
def test_what_is_no_name_is_refused(api: Api, name: Any) -> None:
    answer = api.post("/api/reports/generate-async", {"code": "K1", "productId": "p", "fileName": name})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["fileName"])
