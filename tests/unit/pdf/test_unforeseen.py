"""Documents that nobody foresaw: huge numbers, very long names, missing words, many details, signatures anywhere."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import Any

import pytest
import segno
import yaml
from pypdf import PdfReader

from actors.pdf.drawing.marks import LEAST_SQUARE, QUIET_ZONE, qr_item
from actors.pdf.page.flow import Item, Place, keep_last
from actors.pdf.style import A4, GRID, SHEETS
from tests.unit.pdf.conftest import Box, WatchedCanvas, copied, misplaced, request
from tests.unit.pdf.test_pictures import coded, png
from tests.unit.pdf.test_tags import named
from tests.unit.pdf.test_templates import GOOD, product

HUGE = [
    {"nama": "Asesmen kepemimpinan", "banyak": 3, "harga": 1_234_567_890_123.45},
    {"nama": "Potongan", "banyak": 1, "harga": -999_999_999_999.5},
]
PRINTED = {"1.234.567.890.123,45", "−999.999.999.999,50", "3.703.703.670.370,35", "2.703.703.670.370,85"}
NAME = (
    "Raden Mas Haryo Kusumowardhono Prawirodirdjo Notonegoro Sastrodiningrat Mangkukusumo Tjokroadisurjo bin "
    "Sosrodiningrat Purwodarminto Wirjosandjojo"
)
SIGNATURE = {"block": "signature", "name": "Ayu Lestari", "licence": "SIPP 12"}


def drawn(folder: Path, blocks: list[dict[str, Any]], data: dict[str, Any], **layout: Any) -> bytes:
    """The PDF of some blocks behind a heading and a text."""
    template = yaml.safe_load(GOOD) | layout
    template["blocks"] += blocks
    return product(folder, yaml.safe_dump(template, allow_unicode=True)).render(request("uji", {"nama": "Ayu"} | data))


def said(watched: type[WatchedCanvas]) -> set[str]:
    return {box.text.strip() for box in watched.boxes}


def priced(extra: int = 0) -> dict[str, Any]:
    columns = [
        {"title": "Layanan", "cell": "{{ b.nama }}"},
        *({"title": "Sesi", "value": "b.banyak", "align": "right"} for _ in range(extra)),
        {"title": "Harga", "value": "b.harga", "align": "right", "decimals": 2},
        {"title": "Total", "value": "b.banyak * b.harga", "align": "right", "total": "sum", "decimals": 2},
    ]
    return {"block": "table", "rows": "biaya", "each": "b", "totals": "Jumlah", "columns": columns}


@pytest.mark.parametrize("kind", SHEETS, ids="-".join)
@pytest.mark.parametrize("extra", [0, 2])
def test_a_table_breaks_no_huge_number(
    tmp_path: Path, watched: type[WatchedCanvas], kind: tuple[str, str], extra: int
) -> None:
    """Sums stand in bold, and are whole too."""
    page = {"size": kind[0], "orientation": kind[1]}
    drawn(tmp_path, [priced(extra)], {"biaya": HUGE}, page=page)
    assert said(watched) >= PRINTED
    assert misplaced(watched.boxes, SHEETS[kind]) + watched.too_wide == []


def test_a_table_in_half_of_the_measure_breaks_no_huge_number(tmp_path: Path, watched: type[WatchedCanvas]) -> None:
    drawn(tmp_path, [{"block": "columns", "left": [priced()], "right": [priced()]}], {"biaya": HUGE})
    assert said(watched) >= PRINTED


def test_letters_fall_only_where_numbers_need_it(tmp_path: Path, watched: type[WatchedCanvas]) -> None:
    def size(rows: list[dict[str, Any]]) -> float:
        watched.boxes.clear()
        drawn(tmp_path, [{"block": "columns", "left": [priced(1)], "right": []}], {"biaya": rows})
        (box,) = (box for box in watched.boxes if box.text.strip() == "Potongan")
        return (box.bottom - box.top) / 0.84

    usual = size([row | {"harga": 12} for row in HUGE])
    assert usual == pytest.approx(8.2)
    assert 6.0 < size(HUGE) < usual


def test_a_number_that_no_size_makes_room_for_is_broken_behind_its_thousands(
    tmp_path: Path, watched: type[WatchedCanvas]
) -> None:
    """A part of it never looks like another number."""
    columns = [{"title": f"K{n}", "value": "b", "align": "right", "decimals": 0} for n in range(8)]
    table = {"block": "table", "rows": "[9999999999999999999]", "each": "b", "columns": columns}
    drawn(tmp_path, [table], {}, page={"size": "A5"})
    parts = [text for text in said(watched) if text[:1] in "01289" and "." in text]
    assert parts
    assert all(len(group) in (2, 3) for part in parts for group in part.rstrip(".").split("."))


LARGE = {"low": 0, "high": 10_000_000, "bands": [{"upto": 10_000_000, "label": "Semua"}]}
MEASURED = LARGE | {"mean": 5_000_000, "sd": 900_000, "reliability": 0.9, "norm": "example"}


@pytest.mark.parametrize("scale", [LARGE, MEASURED], ids=["plain", "measured"])
@pytest.mark.parametrize("kind", ["bars", "profile", "radar"])
@pytest.mark.parametrize("count", [4, 12])
def test_a_chart_cuts_no_number(
    tmp_path: Path, watched: type[WatchedCanvas], scale: dict[str, Any], kind: str, count: int
) -> None:
    """Given scores of seven digits, with the report's own intervals, then each is printed whole."""
    items = [{"n": f"Sumbu {n}", "s": 6_543_210 + n, "l": 6_500_000, "h": 7_500_000} for n in range(count)]
    chart = {"block": kind, "items": "hasil", "each": "h", "label": "{{ h.n }}", "value": "h.s", "scale": "besar"}
    chart |= {"low": "h.l", "high": "h.h"}
    drawn(tmp_path, [chart], {"hasil": items}, scales={"besar": scale})
    text = " ".join(box.text for box in watched.boxes)
    for item in items:
        assert f"{item['s']:,}".replace(",", ".") in text
    assert text.count("6.500.000–7.500.000") == (0 if kind == "radar" and count == 12 else count)
    assert "…" not in text
    assert misplaced(watched.boxes) + watched.too_wide == []


@pytest.mark.parametrize("lines", range(28, 50, 2))
@pytest.mark.parametrize(
    "last",
    [
        {"block": "columns", "left": [SIGNATURE], "right": [SIGNATURE]},
        {"block": "when", "test": "true", "blocks": [SIGNATURE]},
        {"block": "each", "items": "[1]", "blocks": [SIGNATURE]},
        {"block": "when", "test": "true", "blocks": [{"block": "text", "style": "small", "text": "Ayu Lestari"}]},
    ],
    ids=["columns", "when", "each", "small"],
)
def test_a_signature_stands_below_text_wherever_it_was_written(
    tmp_path: Path, watched: type[WatchedCanvas], last: dict[str, Any], lines: int
) -> None:
    text = {"block": "text", "text": "\n\n".join(f"baris {n}" for n in range(lines))}
    drawn(tmp_path, [text, last], {})
    page = next(box.page for box in watched.boxes if "Lestari" in box.text)
    assert len([box for box in watched.boxes if box.page == page and "baris" in box.text]) >= 3


def test_what_stands_above_a_signature_is_not_chained_further_than_three_lines() -> None:
    """Given a chart above a signature, then what stands above the chart may stand on another page."""

    def item(height: float) -> Item:
        return Item(height, lambda *_: None)

    column = [item(GRID), item(GRID), item(9 * GRID)]
    keep_last(column, 3, 3 * GRID)
    assert [one.keep for one in column] == [False, False, True]
    column = [item(GRID) for _ in range(5)]
    keep_last(column, 3, 3 * GRID)
    assert [one.keep for one in column] == [False, False, True, True, True]


@pytest.mark.parametrize("above", [[], [{"block": "text", "text": "Disetujui oleh"}]], ids=["alone", "below a text"])
def test_the_rules_of_two_signatures_stand_at_one_height(
    tmp_path: Path, watched: type[WatchedCanvas], monkeypatch: pytest.MonkeyPatch, above: list[dict[str, Any]]
) -> None:
    heights = []
    rule = WatchedCanvas.rule

    def noted(self: WatchedCanvas, *ends: Any) -> None:
        heights.append(ends[1])
        rule(self, *ends)

    first = SIGNATURE | {"place": "Yogyakarta", "name": NAME}
    for left, right in itertools.permutations(([first], [*above, SIGNATURE])):
        heights.clear()
        with monkeypatch.context() as patched:
            patched.setattr(WatchedCanvas, "rule", noted)
            drawn(tmp_path, [{"block": "columns", "left": left, "right": right}], {})
        signed = [y for y in heights if y > A4.top]
        assert len(signed) == 2
        assert signed[0] == pytest.approx(signed[1], abs=0.01)


def test_a_signature_cuts_no_long_name(tmp_path: Path) -> None:
    pdf = drawn(tmp_path, [SIGNATURE | {"name": NAME, "place": NAME[:80]}], {}, page={"size": "A5"})
    said = " ".join(copied(pdf).split())
    assert NAME in said
    assert said.count(NAME[:80]) == 2


def test_a_qr_code_is_never_too_small_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a width for a short code, then a long one is wider, as far as the measure goes."""
    sizes = []

    class Canvas:
        def squares(self, _runs: Any, _x: float, _top: float, size: float, _colour: Any) -> None:
            sizes.append(size)

    place = Place(None, Canvas(), 1, 1, {})  # type: ignore[arg-type]
    for content, width, measure in (("a" * 600, 20.0, 411.0), ("a" * 600, 103.0, 411.0), ("a" * 600, 20.0, 60.0)):
        item = qr_item(content, "x", width, measure)
        item.draw(place, 0.0, 0.0)
        across = len(segno.make(content, error="m", micro=False).matrix) + 2 * QUIET_ZONE
        assert sizes[-1] * across <= measure + 0.01
        assert item.height >= sizes[-1] * across - 0.01
    assert sizes[0] == pytest.approx(LEAST_SQUARE)
    assert sizes[1] > LEAST_SQUARE
    assert sizes[2] < LEAST_SQUARE


def test_a_heading_without_words_is_left_out(tmp_path: Path) -> None:
    """No bookmark, no line of the contents, no mark on the page; what was to start a page still does."""
    empty = [{"block": "heading", "text": "{{ kosong }}", "level": level} for level in (1, 2, 3)]
    blocks = [
        {"block": "contents", "at_least": 1},
        {"block": "page_break"},
        *empty,
        {"block": "text", "text": "Akhir."},
    ]
    pdf = PdfReader(io.BytesIO(drawn(tmp_path, blocks, {"kosong": " "})))
    assert [page.extract_text().count("Akhir.") for page in pdf.pages] == [0, 0, 1]
    assert [entry["/Title"] for entry in pdf.outline] == ["Halo Ayu", "Daftar isi"]
    assert [len(named(pdf, f"/H{level}")) for level in (1, 2, 3)] == [2, 0, 0]  # the contents' own and GOOD's


@pytest.mark.parametrize("kind", SHEETS, ids="-".join)
def test_a_cover_shows_every_detail_shorter_rather_than_not_at_all(
    tmp_path: Path, watched: type[WatchedCanvas], kind: tuple[str, str]
) -> None:
    count = {"A5": 3}.get(kind[0], 8)
    details = [{"label": f"Keterangan {n}", "value": f"{n} {NAME}"} for n in range(count)]
    picture = {"data": "foto", "alternative": "Foto"}
    cover = {"block": "cover", "title": "Laporan", "name": NAME, "details": details, "picture": picture}
    drawn(tmp_path, [cover], {"foto": coded(png((40, 200)))}, page={"size": kind[0], "orientation": kind[1]})
    text = said(watched)
    assert {f"Keterangan {n}" for n in range(count)} <= text
    assert all(any(one.startswith(f"{n} Raden") for one in text) for n in range(count))
    assert misplaced(watched.boxes, SHEETS[kind]) == []


def test_the_caption_of_a_picture_stands_below_its_middle(tmp_path: Path, watched: type[WatchedCanvas]) -> None:
    blocks = [
        {"block": "image", "data": "foto", "alternative": "Foto", "width": 0.2, "caption": "Gambar satu"},
        {"block": "qr", "content": "a", "alternative": "Kode", "caption": "Kode satu"},
        {"block": "table", "rows": "[1]", "columns": [{"title": "A", "cell": "b"}], "caption": "Tabel satu"},
    ]
    drawn(tmp_path, blocks, {"foto": coded(png((40, 40)))})

    def middle(text: str) -> float:
        (box,) = (box for box in watched.boxes if box.text.strip() == text)
        assert isinstance(box, Box)
        return (box.left + box.right) / 2

    centre = A4.left + A4.measure / 2
    assert middle("Gambar satu") == pytest.approx(centre, abs=0.5)
    assert middle("Kode satu") == pytest.approx(centre, abs=0.5)
    assert middle("Tabel satu") < centre - 100
