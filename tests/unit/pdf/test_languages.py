"""A report speaks one language throughout, and prints the days of one time zone."""

from __future__ import annotations

import io
from dataclasses import astuple, fields
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pypdf import PdfReader

from actors.pdf.product.values import day, is_day, number
from actors.pdf.product.wording import ENGLISH, INDONESIAN, language_of, speaking
from actors.pdf.renderer import PdfRenderer
from actors.pdf.text.words import hyphen_places
from schema.errors import Permanent
from tests.unit.pdf.conftest import copied, request

JAKARTA, MAKASSAR, NEW_YORK = ZoneInfo("Asia/Jakarta"), ZoneInfo("Asia/Makassar"), ZoneInfo("America/New_York")
BAND = "bands: [{upto: 84, label: Low, text: less}, {upto: 115, label: Average}, {upto: 160, label: High}]"
SOME = 'items: scores, value: butir.score, label: "{{ butir.name }}"'
NONE = 'items: "[]", value: butir.score, label: "{{ butir.name }}"'
EVERY_BLOCK = f"""\
title: "Report of {{{{ name }}}}"
subject: "A test"
language: LANGUAGE
scales:
  iq: {{low: 40, high: 160, mean: 100, sd: 15, reliability: 0.9, norm: example, decimals: 1, {BAND}}}
  group: {{low: 40, high: 160, mean: 100, sd: 15, reliability: 0.5,
    norm: {{label: Adults, n: 2400, year: 2021, ages: 18–65}}, {BAND}}}
  raw: {{low: 0, high: 20, kind: raw, sd: 3, reliability: 0.9, norm: example, bands: [{{upto: 20}}]}}
  none: {{low: 0, high: 20, norm: unknown, bands: [{{upto: 10, label: Less}}, {{upto: 20, label: More}}]}}
blocks:
  - {{block: contents, at_least: 1}}
  - {{block: heading, text: One}}
  - {{block: text, text: "{{{{ born | tanggal }}}}; {{{{ 1234.5 | angka }}}}; {{{{ 1234567 | angka }}}}; {{{{ 1.5 }}}}"}}
  - block: text
    text: "{{{{ 92 | kategori('iq') }}}}, {{{{ 100 | kategori('group') }}}}, {{{{ none | kategori('iq') }}}},
      {{{{ 100 | tafsiran('group') }}}}, {{{{ 3 | kategori('none') }}}}, {{{{ 'iq' | norma }}}}, {{{{ 'raw' | norma }}}},
      {{{{ 'group' | norma }}}}, {{{{ 'none' | norma }}}}, {{{{ 170 | skor('iq') }}}}"
  - {{block: table, rows: "[]", columns: [{{title: A, cell: a}}]}}
  - {{block: bars, scale: iq, {SOME}, reference: "110"}}
  - {{block: bars, scale: none, {NONE}}}
  - {{block: radar, scale: iq, {SOME}, reference: "110"}}
  - {{block: profile, scale: group, {SOME}}}
  - {{block: gauge, scale: iq, value: "100", reference: "90"}}
  - {{block: gauge, scale: raw, value: "9"}}
  - {{block: gauge, scale: none, value: "9"}}
"""
DATA = {
    "name": "Ann",
    "born": "1999-05-01T17:00:00Z",
    "scores": [{"name": f"No. {n}", "score": score} for n, score in enumerate((92, 101.5, 170, 66, None))],
}


def draw(folder: Path, language: str, **how: str) -> bytes:
    home = folder / "uji"
    home.mkdir(parents=True, exist_ok=True)
    (home / "template.yaml").write_text(EVERY_BLOCK.replace("LANGUAGE", language), "utf-8")
    (home / "schema.json").write_text("{}", "utf-8")
    return PdfRenderer((folder,), **how).render(request("uji", DATA))  # type: ignore[arg-type]


def told(pdf: bytes) -> str:
    """What the pages say, and what a screen reader is told of the charts."""
    reader = PdfReader(io.BytesIO(pdf))
    spoken = [
        str(found["/Alt"])
        for number in range(1, len(reader.xref[0]) + 1)
        if isinstance(found := reader.get_object(number), dict) and "/Alt" in found
    ]
    return "\n".join([copied(pdf), *spoken]).replace("\n", " ")


def parts(wording: object) -> set[str]:
    """The words of a language, without what is filled in."""
    texts = [text for text in astuple(wording) if isinstance(text, str)]  # type: ignore[call-overload]
    return {part.strip(" ,.=–%n") for text in texts for part in text.replace("}", "{").split("{")[::2]} - {""}


@pytest.mark.parametrize(("language", "own", "other"), [("en", ENGLISH, INDONESIAN), ("id", INDONESIAN, ENGLISH)])
def test_every_word_of_the_program_is_of_the_language(
    tmp_path: Path, language: str, own: object, other: object
) -> None:
    said = told(draw(tmp_path, language)).lower()
    foreign = {part.lower() for part in parts(other)} - {part.lower() for part in parts(own)} - {"to", "page"}
    assert [part for part in foreign if f" {part} " in f" {said} "] == []
    lacking = {part for part in parts(own) if part.lower() not in said}
    assert lacking <= {"up to", "s.d."}  # a legend's, only where names do not fit


def test_both_languages_have_every_word() -> None:
    same = {f.name for f in fields(ENGLISH) if getattr(ENGLISH, f.name) == getattr(INDONESIAN, f.name)}
    assert same == set()
    assert len(ENGLISH.months) == len(INDONESIAN.months) == 12


def test_an_english_report_says_so_and_writes_its_numbers_and_dates(tmp_path: Path) -> None:
    pdf = draw(tmp_path, "en-GB")
    said = copied(pdf)
    assert "2 May 1999; 1,234.5; 1,234,567; 1.5" in said
    assert "Page 2 of" in said
    assert "Adults, n = 2,400, 2021, aged 18–65" in said
    assert PdfReader(io.BytesIO(pdf)).root_object["/Lang"] == "en-GB"


@pytest.mark.parametrize(
    ("value", "zone", "printed"),
    [
        ("1999-05-01T17:00:00Z", JAKARTA, "2 Mei 1999"),
        ("1999-05-01T16:59:59Z", JAKARTA, "1 Mei 1999"),
        ("1999-05-01T16:00:00.000000Z", MAKASSAR, "2 Mei 1999"),
        ("1999-05-01T03:00:00+0000", NEW_YORK, "30 April 1999"),
        ("1999-05-01T23:30:00-05:00", JAKARTA, "2 Mei 1999"),
        (datetime(1999, 5, 1, 17, tzinfo=UTC), JAKARTA, "2 Mei 1999"),
        (datetime(1999, 5, 1, 17), JAKARTA, "1 Mei 1999"),
        (date(1999, 5, 1), NEW_YORK, "1 Mei 1999"),
        ("1999-05-01", NEW_YORK, "1 Mei 1999"),
        ("1999-05-01T23:00:00", NEW_YORK, "1 Mei 1999"),
        ("1999-05-01 23:00", JAKARTA, "1 Mei 1999"),
        ("9999-12-31T23:00:00Z", JAKARTA, "31 Desember 9999"),
        ("0001-01-01T00:00:00Z", NEW_YORK, "1 Januari 1"),
        ("1 Mei 1999", JAKARTA, "1 Mei 1999"),
        ("2026", JAKARTA, "2026"),
        ("", JAKARTA, ""),
        (None, JAKARTA, "–"),
    ],
)
def test_a_moment_is_the_day_of_the_reports_time_zone(value: object, zone: ZoneInfo, printed: str) -> None:
    with speaking("id", zone):
        assert day(value) == printed


def test_the_templates_zone_goes_before_the_settings(tmp_path: Path) -> None:
    assert "1 Mei 1999" in copied(draw(tmp_path / "a", "id", time_zone="America/New_York"))
    assert "2 Mei 1999" in copied(draw(tmp_path / "b", "id\ntime_zone: Asia/Jayapura", time_zone="America/New_York"))


@pytest.mark.parametrize("wrong", ["fr", "indonesia", "EN", "id_ID", "en-", '""', "en-x" + "-y" * 9])
def test_an_unknown_language_is_refused_with_its_line(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(Permanent, match=r"line 3: language: .* is not one of id, en") as caught:
        draw(tmp_path, wrong)
    assert caught.value.code == "template_invalid"


@pytest.mark.parametrize("wrong", ["WIB", "Asia/Jakart", "../../etc/passwd", "/etc/localtime", "GMT+7"])
def test_an_unknown_time_zone_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(Permanent, match=r"line 4: time_zone: there is no time zone"):
        draw(tmp_path, f"id\ntime_zone: {wrong}")


def test_words_are_divided_by_their_language() -> None:
    assert hyphen_places("understanding", "en") == (5, 10)
    assert hyphen_places("understanding", "id") != hyphen_places("understanding", "en")
    assert [language_of(tag) for tag in ("id", "id-ID", "en-GB", "de", "")] == ["id", "id", "en", None, None]


def test_numbers_are_written_as_the_language_does() -> None:
    assert [number(value) for value in (-1234.5, 1234567, 0.25)] == ["−1.234,5", "1.234.567", "0,2"]
    assert [number(value, 0) for value in (-0.4, -0.0, -0.6)] == ["0", "0", "−1"]
    with speaking("en", JAKARTA):
        assert [number(value) for value in (-1234.5, 1234567, 0.25)] == ["−1,234.5", "1,234,567", "0.2"]


def test_months_of_both_languages_are_days() -> None:
    assert [is_day(text) for text in ("31 October 2026", "31 Oktober 2026", "31 June 2026", "31 Juni 2026")] == [
        True, True, False, False,
    ]  # fmt: skip
