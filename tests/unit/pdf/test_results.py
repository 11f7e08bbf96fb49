"""A report says what was measured, and nothing else: blanks are told as blanks, samples add up."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.pdf.product.values import highest, lowest, strongest, weakest
from actors.pdf.renderer import PdfRenderer
from schema.errors import Permanent
from tests.people import cognitive, people, table
from tests.unit.pdf.conftest import PRODUCTS, WatchedCanvas, misplaced, request, sample, text_of
from tests.unit.pdf.generated import generated, schema_of

# What a sentence reads like when a value was missing and nobody thought of it.
GAPS = re.compile(
    r"– –|–––|, \.|\s,|– tahun|Skor Anda –|\(belum terukur\)|0 dari 0|95% –|bidang (dan|,|\.)|\*\*|None"
    r"|is –|\(not measured\)|0 of 0|stronger in the (and|areas?)|first (is|are)\."
)


def rows(*scores: float | None) -> list[dict[str, Any]]:
    return [{"nama": chr(97 + place), "skor": score} for place, score in enumerate(scores)]


def names(found: list[dict[str, Any]]) -> str:
    return "".join(row["nama"] for row in found)


def test_what_was_not_measured_is_neither_high_nor_low() -> None:
    some = rows(None, 3, None, 7)
    assert names(highest(some, 3)) == "db"
    assert names(lowest(some, 3)) == "bd"
    assert highest(rows(None, None), 2) == []


def test_only_what_stands_out_is_called_strong() -> None:
    assert names(strongest(rows(4, 9, 7, 1), 3)) == "bc"
    assert names(weakest(rows(4, 9, 7, 1), 3)) == "da"
    assert strongest(rows(5, 5, 5), 3) == weakest(rows(5, 5, 5), 3) == []
    assert strongest(rows(5, None), 3) == weakest(rows(5, None), 3) == []


@given(st.lists(st.none() | st.integers(0, 5), max_size=9), st.integers(1, 4), st.integers(1, 4))
def test_nothing_is_both_strong_and_weak(scores: list[int | None], strong: int, weak: int) -> None:
    above = [row["skor"] for row in strongest(rows(*scores), strong)]
    below = [row["skor"] for row in weakest(rows(*scores), weak)]
    assert not above or not below or min(above) > max(below)


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("missing", [0.0, 0.3, 0.8, 1.0])
def test_any_report_the_schema_lets_in_reads_without_gaps(
    renderer: PdfRenderer, watched: type[WatchedCanvas], product: str, missing: float
) -> None:
    """Lines are looked at one by one and as running text: a gap may stand at a line's end."""
    for seed in range(6):
        watched.boxes.clear()
        report = generated(schema_of(product), random.Random(f"{product}{missing}{seed}"), missing)
        renderer.render(request(product, report))
        assert misplaced(watched.boxes) + watched.too_wide == [], seed
        lines = [box.text for box in watched.boxes]
        running = " ".join(line for line in lines if line.strip() != "–")
        assert not (found := GAPS.search(running)), (seed, running[max(0, found.start() - 60) : found.end() + 20])


def test_interests_and_abilities_nobody_measured_are_not_interpreted(renderer: PdfRenderer) -> None:
    report = sample("minatBakatUmum")
    for row in [*report["minat"], *report["bakat"]]:
        row["skor"] = None
    text = " ".join(text_of(renderer.render(request("minatBakatUmum", report))).split())
    assert "belum cukup terukur untuk dibandingkan" in text
    for claim in (
        "jelas lebih",
        "layak dijajaki lebih dahulu ialah",
        "Kode Holland:",
        "Kekuatan relatif",
        "masih dapat dikem",
    ):
        assert claim not in text


def test_too_few_interests_are_refused_with_their_place(renderer: PdfRenderer) -> None:
    """The report speaks of six interests and eight abilities: one that was not measured is null, not left out."""
    for product, field in (("minatBakatUmum", "minat"), ("minatBakatUmum", "bakat"), ("profilKepribadian", "sifat")):
        report = sample(product)
        report[field].pop()
        with pytest.raises(Exception, match=f"fit {product}: {field}: ") as caught:
            renderer.render(request(product, report))
        assert getattr(caught.value, "code", "") == "invalid_data"


def _changed(report: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    node: Any = report
    *steps, last = path.replace("[", ".").replace("]", "").split(".")
    for step in steps:
        node = node[int(step) if step.isdecimal() else step]
    node[last] = value
    return report


@pytest.mark.parametrize(
    ("product", "path", "value", "reason"),
    [
        ("minatBakatUmum", "minat[3].kode", "R", "another element has the same value"),
        ("minatBakatUmum", "bakat[7].kode", "verbal", "another element has the same value"),
        ("profilKepribadian", "sifat[4].kode", "E", "another element has the same value"),
        ("profilKognitif", "kemampuan[1].kode", "penalaran", "another element has the same value"),
        ("minatBakatUmum", "bakat[0].soal", 34, "must not be less than benar"),
        ("profilKepribadian", "sifat[0].butir", 4, "must not be less than terisi"),
        ("profilKognitif", "kemampuan[0].dijawab", 2, "must not be less than benar"),
        ("profilKognitif", "keseluruhan.skor", 91, "must not be less than bawah"),
        ("profilKognitif", "keseluruhan.atas", 104.9, "must not be less than skor"),
        ("profilKognitif", "keseluruhan.soal", 17, "must be the sum of dijawab and kosong"),
        ("minatBakatUmum", "peserta.tanggal_tes", "2026-02-31", "there is no such day"),
        ("minatBakatUmum", "peserta.tanggal_tes", "2007-04-21", "must not be less than tanggal_lahir"),
        ("minatBakatUmum", "peserta.tanggal_lahir", "1999-13-01T17:00:00Z", "there is no such day"),
        ("profilKepribadian", "peserta.tanggal_tes", "30 Februari 2026", "there is no such day"),
        ("profilKognitif", "peserta.tanggal_tes", "31/06/2026", "there is no such day"),
        ("minatBakatUmum", "minat[0].skor", 101, "greater than the maximum"),
    ],
)
def test_data_that_contradict_themselves_are_refused_with_their_path(
    renderer: PdfRenderer, product: str, path: str, value: object, reason: str
) -> None:
    with pytest.raises(Permanent, match=reason) as caught:
        renderer.render(request(product, _changed(sample(product), path, value)))
    assert caught.value.code == "invalid_data"
    assert f"{product}: {path}: " in caught.value.detail, caught.value.detail


@pytest.mark.parametrize(
    "value", ["2024-02-29", "29 Februari 2024", "3 November 2026", "03/11/2026", "November 2026", ""]
)
def test_a_day_may_be_written_in_many_ways(renderer: PdfRenderer, value: str) -> None:
    assert renderer.render(request("profilKognitif", _changed(sample("profilKognitif"), "peserta.tanggal_tes", value)))


def test_ninety_nine_right_answers_of_forty_are_refused(renderer: PdfRenderer) -> None:
    with pytest.raises(Permanent, match=r"bakat\[0\]\.soal: must not be less than benar"):
        renderer.render(request("minatBakatUmum", _changed(sample("minatBakatUmum"), "bakat[0].benar", 99)))


def test_a_test_nobody_answered_measures_nothing(renderer: PdfRenderer) -> None:
    number, row = next(
        (number, row)
        for number, row in enumerate(table("ability"))
        if all(value in ("", "NA") for name, value in row.items() if "." in name)
    )
    text = " ".join(text_of(renderer.render(request(*cognitive(number, row)))).split())
    assert "tidak mengerjakan satu soal pun" in text
    assert "kemampuan Anda tidak dapat diukur" in text
    for claim in ("0 dari 0 soal", "dihitung dari soal", "Dengan keyakinan", "Bentuk profil", "tahun"):
        assert claim not in text


@pytest.mark.parametrize(("score", "said"), [(12, "< 20"), (88.4, "> 80")])
def test_a_score_off_the_scale_is_marked(renderer: PdfRenderer, score: float, said: str) -> None:
    report = sample("profilKepribadian")
    report["sifat"][0]["skor"] = score
    text = " ".join(text_of(renderer.render(request("profilKepribadian", report))).split())
    assert text.count(said) == 3, "chart, table and text"
    assert "Skor ini melampaui ujung skala" in text
    assert f"Anda {score:g}".replace(".", ",") not in text


def test_the_samples_add_up() -> None:
    cognition = sample("profilKognitif")
    whole = cognition["keseluruhan"]
    assert whole["benar"] == sum(ability["benar"] for ability in cognition["kemampuan"])
    assert whole["dijawab"] == sum(ability["dijawab"] for ability in cognition["kemampuan"])
    assert whole["soal"] == whole["dijawab"] + whole["kosong"] == len(cognition["butir"])
    for ability in cognition["kemampuan"]:
        answers = [item["benar"] for item in cognition["butir"] if item["kode"] == ability["kode"]]
        assert ability["benar"] == answers.count(True)
        assert ability["dijawab"] == len(answers) - answers.count(None)
    assert whole["bawah"] < whole["skor"] < whole["atas"]
    personality = sample("profilKepribadian")
    for trait in personality["sifat"]:
        answers = [answer["jawaban"] for answer in personality["jawaban"] if answer["sifat"] == trait["kode"]]
        assert trait["butir"] == len(answers)
        assert trait["terisi"] == len(answers) - answers.count(None)
    assert all(ability["benar"] <= ability["soal"] for ability in sample("minatBakatUmum")["bakat"])


def test_no_real_report_has_a_gap(renderer: PdfRenderer, watched: type[WatchedCanvas]) -> None:
    for product, report in people(every=97):
        watched.boxes.clear()
        renderer.render(request(product, report))
        running = " ".join(box.text for box in watched.boxes if box.text.strip() != "–")
        assert not (found := GAPS.search(running)), running[max(0, found.start() - 60) : found.end() + 20]
