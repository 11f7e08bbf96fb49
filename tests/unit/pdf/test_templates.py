"""A wrong template says file, line, place and what was expected, before anything is drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from actors.pdf.renderer import PdfRenderer
from schema.errors import Permanent
from tests.unit.pdf.conftest import request

GOOD = """\
title: "Uji {{ nama }}"
subject: "Uji"
scales:
  skor:
    low: 0
    high: 100
    bands:
      - {upto: 50, label: Rendah}
      - {upto: 100, label: Tinggi}
blocks:
  - {block: heading, text: "Halo {{ nama }}"}
  - block: text
    text: "Isi laporan."
"""


def product(folder: Path, template: str = GOOD, **files: str) -> PdfRenderer:
    home = folder / "uji"
    home.mkdir(exist_ok=True)
    (home / "template.yaml").write_text(template, "utf-8")
    for name, content in {"schema": '{"type": "object"}', **files}.items():
        (home / f"{name}.{'yaml' if name == 'texts' else 'json'}").write_text(content, "utf-8")
    return PdfRenderer((folder,))


def error_of(renderer: PdfRenderer, report: dict[str, Any] | None = None) -> Permanent:
    with pytest.raises(Permanent) as caught:
        renderer.render(request("uji", report or {"nama": "Ayu"}))
    return caught.value


def test_a_product_is_added_by_adding_a_folder(tmp_path: Path) -> None:
    renderer = PdfRenderer((tmp_path,))
    with pytest.raises(Permanent, match="no template"):
        renderer.render(request("uji", {"nama": "Ayu"}))
    product(tmp_path)
    assert renderer.render(request("uji", {"nama": "Ayu"})).startswith(b"%PDF")
    assert "uji" in renderer.products()


def test_a_changed_template_is_read_again(tmp_path: Path) -> None:
    renderer = product(tmp_path)
    before = renderer.render(request("uji", {"nama": "Ayu"}))
    product(tmp_path, GOOD.replace("Isi laporan", "Isi yang baru"))
    assert renderer.render(request("uji", {"nama": "Ayu"})) != before


@pytest.mark.parametrize(
    ("mistake", "place", "expected"),
    [
        (("text: \"Isi laporan.\"", "text: 5"), "line 13: blocks[1].text", "Expected `str`, got `int`"),
        (("block: text", "block: teks"), "line 12: blocks[1].block", "Invalid value 'teks'"),
        (("    text: \"Isi", "    isi: \"Isi"), "line 12: blocks[1]", "unknown field `isi`"),
        (("block: text\n", "block: text\n    warna: merah\n"), "line 12: blocks[1]", "unknown field `warna`"),
        (("Isi laporan.", "Isi {{ nama"), "line 13: blocks[1].text", "expected 'end of print statement'"),
        (("Isi laporan.", "Isi {{ nama | besar }}"), "line 13: blocks[1].text", "No filter named 'besar'"),
        (("upto: 100", "upto: 90"), "line 7: scales.skor.bands", "end at high (100)"),
        (("low: 0", "low: 200"), "line 4: scales.skor", "must be below high"),
        (("title: ", "titel: "), "line 1", "unknown field `titel`"),
        (("Isi laporan.\"", "Isi laporan."), "line 14", "not YAML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(tmp_path: Path, mistake: tuple[str, str], place: str, expected: str) -> None:
    assert mistake[0] in GOOD
    error = error_of(product(tmp_path, GOOD.replace(*mistake)))
    assert error.code == "template_invalid"
    assert error.detail.startswith("uji/template.yaml, line")
    assert f"{place}:" in error.detail
    assert expected in error.detail


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("extra: " + "[" * 100_000, "lie too deep"),
        ("extra:\n" + "- " * 100_000, "lie too deep"),
        ("extra: " + "{a: " * 50_000, "lie too deep"),
        ("extra: &a [*a]\n", "an alias stands within what it names"),
        ("extra: [b\n", "line 15: not YAML: did not find expected"),
        ("extra: *b\n", "line 14: not YAML: found undefined alias"),
        ("extra: !!python/object/apply:os.abort []\n", "line 14: not YAML: could not determine a constructor"),
        ("extra: \x07\n", "not YAML"),
        ("---\na: 1\n", "line 14: not YAML: but found another document"),
    ],
)
def test_a_file_that_no_reader_bears_is_refused(tmp_path: Path, end: str, expected: str) -> None:
    error = error_of(product(tmp_path, GOOD + end))
    assert error.code == "template_invalid"
    assert expected in error.detail


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("{block: gauge, value: nilai, scale: skala}", "there is no scale named 'skala' (scales: skor)"),
        ("{block: image, file: ../../rahasia.png, alternative: x}", "there is no file '../../rahasia.png'"),
        ("{block: heading, text: x, level: 4}", "<= 3"),
        ("{block: table, rows: a, columns: []}", "length >= 1"),
        ("{block: each, items: 'x +', blocks: []}", "unexpected"),
    ],
)
def test_a_block_that_cannot_work_is_refused(tmp_path: Path, block: str, expected: str) -> None:
    error = error_of(product(tmp_path, GOOD + f"  - {block}\n"))
    assert error.code == "template_invalid"
    assert "line 14: blocks[2]" in error.detail
    assert expected in error.detail


@pytest.mark.parametrize(
    ("mistake", "listed"),
    [
        (("block: text\n", "block: teks\n"), "Invalid value 'teks'; there is cover, heading, text, table, bars"),
        (('    text: "Isi', '    isi: "Isi'), "unknown field `isi`; there is text, style"),
        (("block: text\n", "block: text\n    style: besar\n"), "'besar'; there is body, lead, small"),
        (
            ("label: Rendah", "nama: Rendah"),
            "line 8: scales.skor.bands[0]: Object contains unknown field `nama`; there is upto",
        ),
        (("low: 0", "low: 0\n    norm: siswa"), "'siswa'; there is example, unknown"),
        (("low: 0", "low: 0\n    norm: {nama: a}"), "unknown field `nama`; there is label, n, year, ages"),
        (("low: 0", "low: 0\n    level: 99"), "line 6: scales.skor.level: Invalid enum value 99; there is 68, 90, 95"),
        (("Isi laporan.", "{{ nama | besar }}"), "There is angka, tanggal, paragraf, tertinggi"),
        (
            ("title: ", "judul: a\ntitle: "),
            "unknown field `judul`; there is logo, colours, fonts, page, header, footer",
        ),
    ],
)
def test_an_error_lists_what_is_allowed(tmp_path: Path, mistake: tuple[str, str], listed: str) -> None:
    assert mistake[0] in GOOD
    assert listed in error_of(product(tmp_path, GOOD.replace(*mistake))).detail


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("{block: columns, left: [{block: teks}], right: []}", "blocks[2].left[0].block: Invalid value 'teks'; there is cover"),
        ("{block: table, rows: a, columns: [{title: a, cell: b, rata: kiri}]}", "`rata`; there is title, cell, value"),
        ("{block: table, rows: a, columns: [{title: a, cell: b, align: kiri}]}", "'kiri'; there is center, left, right"),
        ("{block: signature, name: a, picture: {berkas: a}}", "unknown field `berkas`; there is alternative, file, data"),
        ("{block: signature, name: a, picture: {data: a}}", "missing required field `alternative`"),
        ("{block: qr, content: a, alternative: ''}", "length >= 1"),
        ("{block: qr, content: a}", "missing required field `alternative`"),
        ("{block: spacer, lines: 0}", ">= 1"),
    ],
)  # fmt: skip
def test_an_error_deep_in_a_block_lists_what_is_allowed(tmp_path: Path, block: str, expected: str) -> None:
    error = error_of(product(tmp_path, GOOD + f"  - {block}\n"))
    assert "line 14: blocks[2]" in error.detail
    assert expected in error.detail


def test_a_name_the_data_does_not_have_is_the_templates_mistake(tmp_path: Path) -> None:
    error = error_of(product(tmp_path, GOOD.replace("Isi laporan.", "{{ peserta.nama }}")))
    assert error.code == "template_invalid"
    assert "line 13: blocks[1].text" in error.detail
    assert "'peserta' is undefined" in error.detail


def test_an_expression_of_the_wrong_kind_is_named(tmp_path: Path) -> None:
    error = error_of(product(tmp_path, GOOD + "  - {block: gauge, value: nama, scale: skor}\n"))
    assert "must give a number, not str" in error.detail
    error = error_of(product(tmp_path, GOOD + "  - {block: each, items: nama, blocks: []}\n"))
    assert "must give a list, not str" in error.detail


def test_texts_are_checked_with_their_lines(tmp_path: Path) -> None:
    error = error_of(product(tmp_path, texts="a:\n  b: baik\n  c: 'salah {{ x'\n"))
    assert error.detail.startswith("uji/texts.yaml, line 3: a.c:")


def test_a_broken_schema_is_named(tmp_path: Path) -> None:
    assert "not JSON" in error_of(product(tmp_path, schema="{")).detail
    assert "not a JSON Schema" in error_of(product(tmp_path, schema='{"type": "benda"}')).detail


def test_a_schema_fetches_nothing(tmp_path: Path) -> None:
    error = error_of(product(tmp_path, schema='{"$ref": "http://127.0.0.1:9/schema.json"}'))
    assert error.code == "template_invalid"
    assert "leads nowhere" in error.detail


def test_a_template_cannot_reach_python(tmp_path: Path) -> None:
    """The sandbox refuses the usual way out of a template."""
    error = error_of(product(tmp_path, GOOD.replace("Isi laporan.", "{{ nama.__class__.__mro__ }}")))
    assert error.code == "template_invalid"
    assert "unsafe" in error.detail


def test_data_is_checked_before_anything_is_drawn(tmp_path: Path) -> None:
    schema = json.dumps({"type": "object", "properties": {"umur": {"type": "integer", "maximum": 120}}})
    seen: list[int] = []
    with pytest.raises(Permanent) as caught:
        product(tmp_path, schema=schema).render(request("uji", {"nama": "Ayu", "umur": 150}), seen.append)
    assert caught.value.code == "invalid_data"
    assert caught.value.detail == "The report's data does not fit uji: umur: 150 is greater than the maximum of 120"
    assert seen == []


def test_any_file_of_a_template_makes_another_version(tmp_path: Path) -> None:
    renderer = product(tmp_path)
    first = renderer.version("uji")
    assert renderer.version("uji") == first
    (tmp_path / "uji" / "logo.png").write_bytes(b"not drawn, and still a part of it")
    assert renderer.version("uji") != first
