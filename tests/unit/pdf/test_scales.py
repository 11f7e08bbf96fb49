"""What a report may say of a scale: intervals, categories, comparisons; and what `templates check` refuses."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from typer.testing import CliRunner

from actors.pdf.drawing.scales import stretches
from actors.pdf.product.filters import filters_of, norm_of, reading, score_of
from actors.pdf.product.measure import (
    MOST_COMPARED,
    Band,
    Norm,
    Scale,
    bands_of,
    beyond,
    margin,
    percentile_of,
    span_of,
)
from actors.pdf.renderer import PdfRenderer
from actors.process.runtime import build
from ops.commands.templates import app
from schema.settings import Settings
from tests.unit.pdf.conftest import WatchedCanvas, copied, misplaced, request, text_of

BANDS = [Band(upto=84, label="Rendah"), Band(upto=115, label="Rata-rata"), Band(upto=160, label="Tinggi")]


def scale(**how: Any) -> Scale:
    measured = {"low": 40, "high": 160, "mean": 100, "sd": 15, "reliability": 0.85, "norm": "example", "bands": BANDS}
    return Scale(**(measured | how))


IQ = scale()
KNOWN = filters_of({"iq": IQ, "unknown": scale(norm="unknown"), "plain": Scale(low=0, high=100, bands=BANDS)})


def rows(*scores: float | None) -> list[dict[str, Any]]:
    return [{"nama": chr(97 + place), "skor": score} for place, score in enumerate(scores)]


def strong(scores: tuple[float | None, ...], count: int = 3, skala: str = "iq") -> str:
    return "".join(row["nama"] for row in KNOWN["terkuat"](rows(*scores), count, skala=skala))


def weak(scores: tuple[float | None, ...], count: int = 3, skala: str = "iq") -> str:
    return "".join(row["nama"] for row in KNOWN["terlemah"](rows(*scores), count, skala=skala))


@pytest.mark.parametrize(
    ("scores", "above", "below"),
    [
        ((130, 128, 100, 98), "ab", "dc"),  # One gap of more than 16.1 parts the list in two.
        ((116, 100, 84, 68), "", ""),  # A gap of 16 points is no difference.
        ((117, 100, 83, 66), "ab", "dc"),  # A gap of 17 is one. The score 83 is below the mean and no strength.
        ((140, 138, 136, 134, 110, 108, 106, 104), "abcd", ""),  # Four stand apart together, so all four are named.
        ((75, 55, 54, 53), "", ""),  # No strength lies below the mean.
        ((160, 140, 120, 103), "ab", ""),  # No weakness lies above it.
        ((100, 100, 100, 100), "", ""),
        ((130, None, 100, None), "a", "c"),
        ((130, None), "", ""),
    ],
)
def test_only_what_can_be_told_apart_is_strong_or_weak(
    scores: tuple[float | None, ...], above: str, below: str
) -> None:
    assert strong(scores) == above
    assert weak(scores) == below
    assert strong(scores, skala="unknown") == weak(scores, skala="unknown") == ""
    assert strong(scores, skala="plain") == "", "a scale that says nothing of itself compares nothing"


@given(st.lists(st.none() | st.integers(40, 160), max_size=9), st.integers(1, 4))
def test_every_claim_holds_against_everybody_who_is_not_in_it(scores: list[int | None], count: int) -> None:
    people, least = rows(*scores), 1.96 * 15 * (2 - 0.85 - 0.85) ** 0.5
    for name, sign in (("terkuat", 1), ("terlemah", -1)):
        told = KNOWN[name](people, count, skala="iq")
        rest = [row["skor"] for row in people if row["skor"] is not None and row not in told]
        assert all(sign * (row["skor"] - other) > least for row in told for other in rest)
        assert all(sign * (row["skor"] - 100) >= 0 for row in told)
    first = KNOWN["tertinggi"](people, 1, skala="iq")
    assert all(row in first for row in people if row["skor"] is not None and first[0]["skor"] - row["skor"] <= least)
    for row in KNOWN["terbedakan"](people, "iq"):
        assert {other["nama"] for other in row["lebih_rendah"]} == {
            other["nama"] for other in people if other["skor"] is not None and row["skor"] - other["skor"] > least
        }


def test_a_profile_has_no_thousand_scales() -> None:
    """Each would be compared with each."""
    many = rows(*([140] + [60] * MOST_COMPARED))
    assert KNOWN["terbedakan"](many, "iq") == []
    assert len(KNOWN["terbedakan"](many[:MOST_COMPARED], "iq")) == 1


def test_the_filters_print_what_the_formulas_give() -> None:
    assert KNOWN["rentang"](121, "iq") == "110–132"
    assert KNOWN["rentang"](121, "iq", 100, 130) == "100–130", "the report's own interval comes first"
    assert KNOWN["rentang_ulang"](100, "iq") == "84–116"
    assert KNOWN["rentang_ulang"](100, "iq", 90, 110) == "86–114"
    assert KNOWN["rentang"](155, "iq") == "144–160", "no interval leaves the scale"
    assert KNOWN["persentil"](121, "iq") == "92"
    assert KNOWN["keyakinan"]("iq") == "95%"
    assert KNOWN["selisih_kritis"]("iq") == "16"
    assert KNOWN["norma"]("iq") == "norma contoh"
    group = Norm(label="Siswa SMA", n=1200, year=2024, ages="15–18 tahun")
    assert norm_of(scale(norm=group)) == "Siswa SMA, n = 1.200, 2024, usia 15–18 tahun"
    for name in ("rentang", "persentil", "skor"):
        assert KNOWN[name](None, "iq") == "–"


def test_an_unknown_norm_prints_no_interval_percentile_or_comparison() -> None:
    assert KNOWN["rentang"](121, "unknown") == KNOWN["persentil"](121, "unknown") == "–"
    assert KNOWN["selisih_kritis"]("unknown") == "–"
    assert KNOWN["kategori"](121, "unknown") == KNOWN["tafsiran"](121, "unknown") == "tanpa norma"
    assert KNOWN["tingkat"](121, "unknown") is None
    assert KNOWN["tertinggi"](rows(130, 60), 1, skala="unknown") == []
    assert KNOWN["terbedakan"](rows(130, 60), "unknown") == []
    assert len(stretches(scale(norm="unknown"))) == 1, "and no bands behind the data"


@pytest.mark.parametrize(
    ("score", "span", "said", "level"),
    [
        (128, (117, 139), "Tinggi", 2),
        (120, (108, 132), "Rata-rata hingga tinggi", 2),
        (100, (89, 111), "Rata-rata", 1),
        (100, (84, 116), "Tidak ditetapkan", None),
        (100, (85, 115), "Rata-rata", 1),
        (70, (58, 82), "Rendah", 0),
    ],
)
def test_a_category_is_told_with_all_that_the_interval_touches(
    score: float, span: tuple[float, float], said: str, level: int | None
) -> None:
    assert reading("label", IQ, score, *span) == KNOWN["kategori"](score, "iq", *span) == said
    assert KNOWN["tingkat"](score, "iq", *span) == level


@given(st.integers(0, 60))
def test_the_bands_mirror_each_other(deviation: int) -> None:
    above = [band.label for band in bands_of(IQ, 100 + deviation, None)]
    below = [band.label for band in bands_of(IQ, 100 - deviation, None)]
    assert below == [{"Tinggi": "Rendah", "Rata-rata": "Rata-rata"}[label] for label in above]
    edges = [40 + end * 120 for _, _, end in stretches(IQ)]
    assert edges[0] + edges[1] == pytest.approx(200)


def test_a_score_beyond_the_scale_is_told_as_beyond() -> None:
    short = scale(min=55, max=145)
    assert [score_of(short, score) for score in (54, 55, 145, 145.4, 146)] == ["< 55", "55", "145", "145", "> 145"]
    assert [beyond(short, score) for score in (54, 100, 146)] == [-1, 0, 1]
    assert span_of(short, 150) == span_of(short, 145)
    assert beyond(Scale(low=0, high=10, bands=[Band(upto=10, label="a")]), 99) == 0, "an old scale says nothing"


def test_a_raw_scale_has_no_percentile() -> None:
    raw = scale(kind="raw", mean=None)
    assert percentile_of(raw, 100) is None
    assert margin(raw) == pytest.approx(16.1, abs=0.01)
    assert norm_of(raw) == "skor mentah, reliabilitas contoh"


TEMPLATE = """\
title: "Uji"
subject: "Uji"
scales:
  skor:
    low: 40
    high: 160
    bands:
      - {upto: 84, label: Rendah, text: "di bawah rata-rata"}
      - {upto: 160, label: Tinggi, text: "di atas rata-rata"}
blocks:
  - block: text
    text: "Laporan {{ nama }}."
"""
MEASURED = TEMPLATE.replace(
    "    bands:", "    mean: 100\n    sd: 15\n    reliability: 0.9\n    norm: example\n    bands:"
)
UNKNOWN = TEMPLATE.replace("    bands:", "    norm: unknown\n    bands:")
SAMPLE: dict[str, Any] = {
    "nama": "Ayu",
    "hasil": [{"nama": "A", "skor": 130, "benar": 9}, {"nama": "B", "skor": 90, "benar": 7}],
}


def product(folder: Path, template: str, texts: str = "") -> Path:
    home = folder / "uji"
    home.mkdir()
    (home / "template.yaml").write_text(template, "utf-8")
    (home / "texts.yaml").write_text(texts or "{}", "utf-8")
    (home / "schema.json").write_text('{"type": "object"}', "utf-8")
    (home / "sample.json").write_text(json.dumps(SAMPLE), "utf-8")
    return folder


CLAIMS = [
    ("{{ (hasil | terkuat(1))[0].nama if hasil | terkuat(1) }}", "name their scale, as in `terkuat(2, skala='…')`"),
    ("{{ (hasil | tertinggi(1))[0].nama }}", "name their scale"),
    ("{{ hasil | terlemah(1, skala='skor') | length }}", "which has no reliability: give the scale `mean`"),
    ("{{ 130 | kategori('skor') }}", "which has no interval: give the scale `mean`, `sd`"),
    ("{{ 130 | tafsiran('skor') }}", "which has no interval"),
    ("{{ 130 | persentil('skor') }}", "in a norm group that it does not have"),
]


@pytest.mark.parametrize(("claim", "advice"), CLAIMS)
def test_a_claim_without_ground_is_refused_by_check_and_still_drawn(tmp_path: Path, claim: str, advice: str) -> None:
    folder = product(tmp_path, TEMPLATE + f'  - block: text\n    text: "{claim}"\n')
    done = CliRunner().invoke(app, ["check", "uji", "-t", str(folder)])
    assert done.exit_code == 1
    assert done.output.startswith("uji: template_invalid: uji/template.yaml, line 14: blocks[1].text: ")
    assert advice in done.output
    assert PdfRenderer((folder,)).render(request("uji", SAMPLE)).startswith(b"%PDF")


@pytest.mark.parametrize(
    ("template", "block", "refused"),
    [
        (TEMPLATE, "{block: gauge, value: '130', scale: skor}", "blocks[1].scale: scores are drawn on 'skor'"),
        (TEMPLATE, "{block: table, rows: hasil, columns: [{title: T, cell: '1', meter: skor}]}", ".meter: scores are"),
        (MEASURED, "{block: gauge, value: '130', scale: skor}", ""),
        (UNKNOWN, "{block: gauge, value: '130', scale: skor}", ""),
        (MEASURED, "{block: text, text: \"{{ 130 | kategori('skor') }}\"}", "say `rentang('skor')` beside it"),
        (MEASURED, "{block: text, text: \"{{ 130 | kategori('skor') }} {{ 130 | rentang('skor') }}\"}", ""),
        (MEASURED, "{block: gauge, value: '130', scale: skor, caption: \"{{ 130 | kategori('skor') }}\"}", ""),
        (MEASURED, "{block: when, test: \"130 | tingkat('skor')\", blocks: [{block: gauge, value: '130', scale: skor}]}", ""),
        (MEASURED, "{block: when, test: \"130 | tingkat('skor')\", blocks: [{block: text, text: Hebat}]}", "say `rentang"),
        (MEASURED, "{block: when, test: \"hasil | terkuat(1, skala='skor')\", blocks: []}", ""),
        (UNKNOWN, "{block: when, test: \"hasil | terkuat(1, skala='skor')\", blocks: []}", ""),
        (TEMPLATE, "{block: text, text: \"{{ (hasil | tertinggi(1, 'benar') | length) }}\"}", ""),
        (TEMPLATE.replace("    bands:", "    kind: raw\n    bands:"), "{block: gauge, value: '130', scale: skor}", ""),
    ],
)  # fmt: skip
def test_check_refuses_what_has_no_interval_and_nothing_else(
    tmp_path: Path, template: str, block: str, refused: str
) -> None:
    done = CliRunner().invoke(app, ["check", "uji", "-t", str(product(tmp_path, f"{template}  - {block}\n"))])
    assert (refused or "uji: ok") in done.output, done.output
    assert done.exit_code == bool(refused)


def test_a_claim_in_the_texts_is_found_with_its_line(tmp_path: Path) -> None:
    texts = "a: baik\nb:\n  c: \"{{ 130 | kategori('skor') }}\"\n"
    done = CliRunner().invoke(app, ["check", "uji", "-t", str(product(tmp_path, MEASURED, texts))])
    assert "uji/texts.yaml, line 3: b.c: `kategori` judges a score without its interval" in done.output


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("reliability: 0.9", "`sd` and `reliability` belong together"),
        ("sd: 15\n    reliability: 0.9", "`mean` and `norm` are missing"),
        ("sd: 15\n    reliability: 1", "Expected `float` < 1"),
        ("sd: 0\n    reliability: 0.9", "Expected `float` > 0"),
        ("mean: 30", "the mean (30) must lie between min (40) and max (160)"),
        ("min: 100\n    max: 90", "min (100) must be below max (90)"),
        ("min: 10", "both lie between low and high"),
        ("norm: {label: x, n: 10, year: 2020}", "missing required field `ages`"),
        ("level: 99", "Invalid enum value 99"),
        ("bands_: 1", "unknown field `bands_`"),
    ],
)
def test_a_scale_that_contradicts_itself_is_refused(tmp_path: Path, line: str, expected: str) -> None:
    folder = product(tmp_path, TEMPLATE.replace("    bands:", f"    {line}\n    bands:"))
    done = CliRunner().invoke(app, ["check", "uji", "-t", str(folder)])
    assert "template_invalid: uji/template.yaml, line" in done.output
    assert expected in done.output, done.output


def test_a_band_without_a_name_needs_a_raw_scale(tmp_path: Path) -> None:
    folder = product(tmp_path, TEMPLATE.replace("label: Tinggi", "text: x"))
    assert "every band needs a `label`" in CliRunner().invoke(app, ["check", "uji", "-t", str(folder)]).output


def test_the_worker_draws_an_old_template_and_warns_once(tmp_path: Path) -> None:
    folder = product(tmp_path, TEMPLATE + "  - {block: gauge, value: '130', scale: skor}\n")
    settings = Settings(run_dir=str(tmp_path), database_url=f"sqlite:///{tmp_path}/r.db", templates_dir=str(folder))
    runtime = build(settings)
    try:
        with capture_logs() as logs:
            for _ in range(2):
                assert "130 · Tinggi" in text_of(runtime.renderer.render(request("uji", SAMPLE)))
    finally:
        runtime.close()
    warned = [entry for entry in logs if entry["log_level"] == logging.getLevelName(logging.WARNING).lower()]
    assert [(entry["event"], entry["product"]) for entry in warned] == [("template.unfounded", "uji")]
    assert "scores are drawn on 'skor', which has no interval" in warned[0]["claims"][0]


def test_an_interval_that_does_not_hold_its_score_is_wrong_data(tmp_path: Path) -> None:
    """Whatever the schema lets in: the chart would show a lie."""
    block = "  - {block: gauge, value: 'hasil[0].skor', scale: skor, low: '131', high: '140'}\n"
    with pytest.raises(Exception, match="131 to 140 does not hold the score") as caught:
        PdfRenderer((product(tmp_path, MEASURED + block),)).render(request("uji", SAMPLE))
    assert getattr(caught.value, "code", "") == "invalid_data"


def test_a_reference_line_is_named(tmp_path: Path) -> None:
    block = (
        "  - {block: bars, items: hasil, label: '{{ butir.nama }}', value: butir.skor, scale: skor, reference: '110'}\n"
    )
    said = copied(PdfRenderer((product(tmp_path, MEASURED + block),)).render(request("uji", SAMPLE)))
    assert "garis putus-putus: acuan 110" in said
    assert "Persentil" in said


@pytest.mark.parametrize("measured", ["", "    mean: 50\n    sd: 1.5\n    reliability: 0.5\n    norm: example\n"])
@pytest.mark.parametrize("ends", [(48, 50, 52, 54, 100), (1, 2, 3, 4, 5, 100), (95, 96, 97, 98, 99, 100), (50, 100)])
def test_nothing_collides_at_narrow_bands(
    tmp_path: Path, watched: type[WatchedCanvas], measured: str, ends: tuple[int, ...]
) -> None:
    bands = "".join(f"      - {{upto: {end}, label: Kelompok nomor {place}}}\n" for place, end in enumerate(ends))
    head = (
        f"title: Uji\nsubject: Uji\nscales:\n  skor:\n    low: 0\n    high: 100\n{measured}    bands:\n{bands}blocks:\n"
    )
    common = "items: hasil, label: '{{ butir.nama }}', value: butir.skor - 50, scale: skor, reference: '51'"
    blocks = [f"{{block: {kind}, {common}}}" for kind in ("bars", "radar", "profile")]
    blocks += [f"{{block: profile, {common}, opposite: Lawan, name: Nama}}", "{block: gauge, value: '49', scale: skor}"]
    folder = product(tmp_path, head + "".join(f"  - {block}\n" for block in blocks))
    PdfRenderer((folder,)).render(request("uji", SAMPLE | {"hasil": SAMPLE["hasil"] * 2}))
    assert misplaced(watched.boxes) + watched.too_wide == []
