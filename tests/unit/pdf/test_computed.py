"""Computed columns, totals and columns that are there when they are needed; values with lists; what expressions may cost."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from actors.pdf.product.values import MOST_REPEATED, Expressions
from actors.pdf.renderer import PdfRenderer
from tests.unit.pdf.conftest import copied, request
from tests.unit.pdf.test_tags import kids, named
from tests.unit.pdf.test_templates import GOOD, error_of, product

TABLE = """\
  - block: table
    rows: biaya
    each: b
    totals: Jumlah
    columns:
      - {title: Layanan, cell: "{{ b.nama }}"}
      - {title: Catatan, cell: "{{ b.catatan }}", test: "biaya | selectattr('catatan') | list"}
      - {title: Sesi, value: b.sesi, total: sum}
      - {title: Harga, value: b.harga, decimals: 2}
      - {title: Total, value: b.sesi * b.harga, decimals: 2, total: sum}
"""
ROWS = [
    {"nama": "Tes", "catatan": "", "sesi": 2, "harga": 1_350.5},
    {"nama": "Konsultasi", "catatan": "", "sesi": 1, "harga": 1_000_000},
]


def drawn(folder: Path, rows: list[dict[str, Any]], template: str = TABLE) -> bytes:
    return product(folder, GOOD + template).render(request("uji", {"nama": "Ayu", "biaya": rows}))


def cells(pdf: bytes) -> list[list[str]]:
    """The text of every row, as poppler lays the page out."""
    lines = copied(pdf, "-layout").splitlines()
    first = next(place for place, line in enumerate(lines) if line.lstrip().startswith("Layanan"))
    last = next(place for place, line in enumerate(lines) if line.lstrip().startswith("Jumlah"))
    return [line.split() for line in lines[first : last + 1] if line.strip()]


@pytest.mark.parametrize(
    ("language", "expected"), [("id", ["2.701,00", "1.002.701,00"]), ("en", ["2,701.00", "1,002,701.00"])]
)
def test_numbers_are_computed_summed_and_written_in_the_language(
    tmp_path: Path, language: str, expected: list[str]
) -> None:
    table = cells(drawn(tmp_path, ROWS, TABLE + f"language: {language}\n"))
    assert table[0] == ["Layanan", "Sesi", "Harga", "Total"]
    assert [row[-1] for row in (table[1], table[-1])] == expected
    assert table[-1] == ["Jumlah", "3", expected[1]]


def test_a_column_is_there_when_its_test_holds(tmp_path: Path) -> None:
    assert "Catatan" not in cells(drawn(tmp_path, ROWS))[0]
    assert cells(drawn(tmp_path, [*ROWS, {**ROWS[0], "catatan": "daring"}]))[0][1] == "Catatan"


def test_what_is_missing_is_not_summed(tmp_path: Path) -> None:
    table = TABLE.replace("value: b.sesi * b.harga", "value: b.skor").replace('total: sum}\n"""', "")
    rows = [{**row, "skor": score} for row, score in zip([*ROWS, ROWS[0]], (1, None, 2), strict=True)]
    assert cells(drawn(tmp_path, rows, table))[-1][-1] == "3,00"
    mean = table.replace("decimals: 2, total: sum", "decimals: 2, total: mean")
    assert cells(drawn(tmp_path, rows, mean))[-1][-1] == "1,50"
    none = [{**row, "skor": None} for row in ROWS]
    assert cells(drawn(tmp_path, none, mean))[-1][-1] == "–"


@pytest.mark.parametrize("seed", range(20))
def test_totals_are_those_of_exact_arithmetic(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    cents = [chance.randint(-(10**9), 10**9) for _ in range(chance.randint(1, 60))]
    rows = [{**ROWS[0], "sesi": 1, "harga": cent / 100} for cent in cents]
    said = cells(drawn(tmp_path, rows, TABLE + "language: en\n"))[-1][-1]
    assert round(float(said.replace(",", "").replace("−", "-")) * 100) == sum(cents)


def test_the_row_of_totals_is_told_as_one_and_stays_with_its_table(tmp_path: Path) -> None:
    for count in range(1, 60):
        pdf = PdfReader(io.BytesIO(drawn(tmp_path, ROWS[:1] * count)))
        pages = [page.extract_text() for page in pdf.pages]
        last = next(text for text in pages if "Jumlah" in text)
        assert last.count("Tes") >= 1, count
    (table,) = named(pdf, "/Table")
    head, *rows, totals = [kids(row) for row in kids(table)]
    label = totals[0]
    assert (label["/S"], label["/A"]["/Scope"], label["/A"]["/ColSpan"]) == ("/TH", "/Row", 1)
    assert {cell["/S"] for cell in totals[1:]} == {"/TD"}
    assert {len(row) for row in (head, *rows, totals)} == {4}


def test_a_label_spans_the_columns_before_the_first_total(tmp_path: Path) -> None:
    rows = [{**row, "catatan": "daring"} for row in ROWS]
    (table,) = named(PdfReader(io.BytesIO(drawn(tmp_path, rows))), "/Table")
    totals = kids(kids(table)[-1])
    assert totals[0]["/A"]["/ColSpan"] == 2
    assert len(totals) == 4


def test_a_table_without_rows_or_columns_says_so(tmp_path: Path) -> None:
    assert "Tidak ada data." in copied(drawn(tmp_path, []))
    none = '  - {block: table, rows: biaya, columns: [{title: A, cell: b, test: "false"}]}\n'
    assert "Tidak ada data." in copied(drawn(tmp_path, ROWS, none))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("    totals: Jumlah\n", ""), "belong together"),
        ((", total: sum", ""), "belong together"),
        (('cell: "{{ b.nama }}"', "value: b.sesi, total: sum"), "the first column takes the name"),
        (('cell: "{{ b.nama }}"', 'cell: a, test: "true"'), "the first column takes the name"),
        (("value: b.sesi, total", "cell: a, total"), "`total` needs a `value`"),
        (("value: b.harga", "width: 0.2"), "a column needs `cell`, or `value`"),
        (("total: sum", "total: median"), "'median'; there is mean, sum"),
        (("decimals: 2", "decimals: 9"), "<= 6"),
        (("value: b.sesi,", "value: 'b.sesi +',"), "unexpected"),
    ],
)
def test_a_table_that_cannot_work_is_refused(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert change[0] in TABLE
    error = error_of(product(tmp_path, GOOD + TABLE.replace(*change)))
    assert error.code == "template_invalid"
    assert said in error.detail
    assert "blocks[2]" in error.detail


def test_a_sum_beyond_all_numbers_is_wrong_data(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "sesi": 1e308}] * 3
    error = error_of(product(tmp_path, GOOD + TABLE), {"nama": "Ayu", "biaya": rows})
    assert error.code == "invalid_data"


# -- what expressions may cost ------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["a ** b", "b * kata", "[a] * b * b", "kata * b", "(1, 2) * b", "2 ** b"])
def test_an_expression_makes_nothing_great_of_small_values(tmp_path: Path, source: str) -> None:
    block = f'  - {{block: text, text: "{{{{ {source} }}}}"}}\n'
    error = error_of(product(tmp_path, GOOD + block), {"nama": "A", "a": 10**15, "b": 10**6, "kata": "abc"})
    assert error.code == "template_invalid"
    assert "line 14: blocks[2].text" in error.detail
    assert "too great" in error.detail or "too often" in error.detail


def test_usual_products_and_powers_are_what_they_are() -> None:
    made = Expressions({})
    scope = {"a": 3, "b": 2.5, "c": -2, "teks": "ab"}
    for source, value in {"a * b": 7.5, "a ** a": 27, "b ** c": 0.16, "a ** c": 1 / 9, "teks * a": "ababab"}.items():
        assert made.evaluate(source, scope) == pytest.approx(value) if source[0] != "t" else value
    assert len(made.evaluate(f"'a' * {MOST_REPEATED}", {})) == MOST_REPEATED
    with pytest.raises(OverflowError):
        made.evaluate("b ** 5000", scope)


# -- paragraphs and lists of the data -----------------------------------------------------------------------


def structure(renderer: PdfRenderer, text: str) -> list[str]:
    pdf = PdfReader(io.BytesIO(renderer.render(request("uji", {"nama": "Ayu", "catatan": text}))))
    return [name for name in ("/L", "/LI", "/P") for _ in named(pdf, name)]


@pytest.mark.parametrize(
    ("text", "lists", "entries", "paragraphs"),
    [
        ("satu", 0, 0, 1),
        ("satu\n\ndua\n \t \r\ntiga", 0, 0, 3),
        ("satu\ndua", 0, 0, 1),
        ("satu:\n- dua\n- tiga\nempat", 1, 2, 2),
        ("- satu\n• dua\n* tiga\n– empat", 1, 4, 0),
        ("- satu\n\n- dua", 2, 2, 0),
        ("-satu\n**dua**", 0, 0, 1),
        ("", 0, 0, 0),
        ("\n\n", 0, 0, 0),
    ],
)
def test_a_text_of_the_data_keeps_its_paragraphs_and_lists(
    tmp_path: Path, text: str, lists: int, entries: int, paragraphs: int
) -> None:
    template = GOOD.replace("Isi laporan.", "{{ catatan | paragraf }}")
    found = structure(product(tmp_path, template), text)
    assert [found.count(name) for name in ("/L", "/LI", "/P")] == [lists, entries, paragraphs]


def test_nothing_else_in_it_is_markup(tmp_path: Path) -> None:
    template = GOOD.replace("Isi laporan.", "{{ catatan | paragraf }}")
    text = "*satu* **dua** \\tiga {{ empat }}\n- *lima*\n-enam"
    said = copied(product(tmp_path, template).render(request("uji", {"nama": "Ayu", "catatan": text})))
    for part in ("*satu* **dua** \\tiga {{ empat }}", "*lima*", "-enam"):
        assert part in said
    assert "–" in copied(product(tmp_path, template.replace("| paragraf", "")).render(
        request("uji", {"nama": "Ayu", "catatan": None})
    ))  # fmt: skip
    assert product(tmp_path, template).render(request("uji", {"nama": "Ayu", "catatan": None}))
