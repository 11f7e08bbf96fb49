"""Any data that fits the schema becomes pages on which no text leaves its box or lies over another."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from actors.pdf.renderer import PdfRenderer
from actors.pdf.style import BODY
from actors.pdf.text.linebreak import Line
from actors.pdf.text.words import PLAIN, measured
from ops.authoring.gallery import sample as gallery_sample
from tests.unit.pdf.conftest import WatchedCanvas, measuring, misplaced, request, sample

SCRIPTS = (
    "abcdefghijklmnopqrstuvwxyz ABC 'éñçšđ-",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهوي ",
    "अआइईउऊकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह ािीुूे्",
    "ꦲꦤꦕꦫꦏꦢꦠꦱꦮꦭꦥꦝꦗꦪꦚꦩꦒꦧꦛꦔ ꦶꦸꦺ꧀",
    "王李张刘陈 ᬅᬓᬕ กขคง Ωδщж",
)
script = st.sampled_from(SCRIPTS)


def _spelled(letters: str, length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(letters, k=length))


# Long strings are spelled from a seed: drawing each letter would take longer than the drawing of the pages.
names = st.one_of(
    st.builds(_spelled, script, st.integers(1, 300), st.integers(0, 9999)),
    st.builds(_spelled, st.just("".join(SCRIPTS)), st.integers(1, 300), st.integers(0, 9999)),
    st.text(min_size=1, max_size=30),
    st.just("W" * 300),
)
texts = st.one_of(
    st.just(""),
    names,
    st.integers(1, 60).map(lambda times: "Kalimat ini panjang dan biasa saja, tanpa apa pun yang aneh. " * times),
    st.text(max_size=60).map(lambda text: text * 60),
    st.lists(names, max_size=8).map("\n".join),
)
scores = st.one_of(st.none(), st.integers(0, 100), st.floats(0, 100, allow_nan=False))
QUICK = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def drawn(renderer: PdfRenderer, product: str, report: dict[str, Any], watched: type[WatchedCanvas]) -> list[str]:
    watched.boxes.clear()
    watched.too_wide.clear()
    pdf = renderer.render(request(product, report))
    assert pdf.startswith(b"%PDF-1.7")
    return misplaced(watched.boxes) + watched.too_wide


def test_a_line_too_wide_for_its_box_is_noticed(watched: type[WatchedCanvas]) -> None:
    chunks = measured([("Kata", PLAIN)], BODY)[0]
    for measure, noticed in ((chunks[0].width, 0), (5.0, 1)):
        measuring(lambda chunks, _: [Line(chunks, chunks[0].width)])(chunks, measure)
        assert len(watched.too_wide) == noticed


@given(name=names, note=texts, city=st.text(max_size=40), scores=st.lists(scores, min_size=6, max_size=6))
@example(name="x", note="", city="", scores=[None] * 6)
@QUICK
def test_any_name_and_any_note(
    renderer: PdfRenderer, watched: type[WatchedCanvas], name: str, note: str, city: str, scores: list[Any]
) -> None:
    report = sample("minatBakatUmum")
    report["peserta"] |= {"nama": name, "asal": city}
    report["catatan"] = note
    for interest, score in zip(report["minat"], scores, strict=True):
        interest["skor"] = score
    assert drawn(renderer, "minatBakatUmum", report, watched) == []


answers = st.fixed_dictionaries(
    {
        "nomor": st.integers(1, 999),
        "pernyataan": names,
        "sifat": st.sampled_from("EACNO"),
        "jawaban": st.one_of(st.none(), st.integers(1, 6)),
        "terbalik": st.booleans(),
    }
)


@given(rows=st.lists(answers, max_size=12), times=st.sampled_from([1, 1, 5, 42]))
@example(rows=[], times=1)
@settings(QUICK, max_examples=12)
def test_tables_of_no_to_five_hundred_rows(
    renderer: PdfRenderer, watched: type[WatchedCanvas], rows: list[dict[str, Any]], times: int
) -> None:
    report = sample("profilKepribadian")
    report["jawaban"] = (rows * times)[:500]
    assert drawn(renderer, "profilKepribadian", report, watched) == []


def any_name(chance: random.Random) -> str:
    """1 to 300 characters: one script, all of them, anything Unicode has, or one very wide word."""
    kind = chance.random()
    if kind < 0.5:
        return "".join(chance.choices(chance.choice(SCRIPTS), k=chance.randint(1, 300)))
    if kind < 0.7:
        return "".join(chance.choices("".join(SCRIPTS), k=chance.randint(1, 300)))
    if kind < 0.9:
        ends = (0x2FF, 0xFFFF, 0x10FFFF)
        return "".join(chr(chance.randint(0, chance.choice(ends))) for _ in range(chance.randint(1, 30)))
    return "W" * 300


def any_text(chance: random.Random) -> str:
    """Nothing, a name, up to sixty sentences, one thing repeated, or several lines."""
    return chance.choice(
        (
            "",
            any_name(chance),
            "Kalimat ini panjang dan biasa saja, tanpa apa pun yang aneh. " * chance.randint(1, 60),
            any_name(chance)[:60] * 60,
            "\n".join(any_name(chance) for _ in range(chance.randint(0, 8))),
        )
    )


def any_report(chance: random.Random) -> dict[str, Any]:
    """Data for the product made of every block."""
    axes = [
        {
            "nama": any_name(chance),
            "lawan": chance.choice(("", any_name(chance))),
            "skor": chance.choice((None, 3, 55.5, 100)),
        }
        for _ in range(chance.randint(0, 20))
    ]
    rows = [
        {
            "nomor": chance.randint(-(10**9), 10**18),
            "nama": any_text(chance),
            "skor": chance.choice((None, 0, 77)),
        }
        for _ in range(chance.randint(0, 6))
    ]
    return gallery_sample() | {
        **{key: any_name(chance) for key in ("nama", "judul", "lembaga", "asal", "tanggal")},
        **{key: any_text(chance) for key in ("anak_judul", "catatan", "uraian")},
        **{key: any_text(chance)[:150] for key in ("tautan", "izin", "saran")},
        "biaya": [
            {"layanan": any_name(chance), "catatan": any_text(chance), "sesi": chance.choice((None, 3)), "harga": 1e15}
            for _ in range(chance.randint(0, 3))
        ],
        "foto": chance.choice((None, gallery_sample()["foto"])),
        "sumbu": axes,
        "baris": rows,
        "skor": chance.choice((None, 0, 3, 99.9)),
    }


@pytest.mark.parametrize("seed", range(12))  # the soak has more
def test_every_block_with_any_data(gallery: tuple[PdfRenderer, str], watched: type[WatchedCanvas], seed: int) -> None:
    renderer, product = gallery
    assert drawn(renderer, product, any_report(random.Random(seed)), watched) == []


@pytest.mark.parametrize("count", range(21))
def test_charts_of_any_number_of_axes(
    gallery: tuple[PdfRenderer, str], watched: type[WatchedCanvas], count: int
) -> None:
    renderer, product = gallery
    axis = {"nama": "Kecepatan dan ketelitian kerja", "lawan": "Ketenangan yang mendalam", "skor": 61}
    report = gallery_sample() | {"sumbu": [axis] * count}
    assert drawn(renderer, product, report, watched) == []
