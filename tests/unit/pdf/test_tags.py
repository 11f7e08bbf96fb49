"""What a screen reader is told: given the file's structure tree, then it has the shape of what is seen."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from actors.pdf.renderer import PdfRenderer
from tests.unit.pdf.conftest import PRODUCTS, copied, request, sample
from tests.unit.pdf.test_templates import GOOD, product

LONG = "Kalimat ini panjang dan biasa saja, tanpa apa pun yang aneh. " * 90


def opened(renderer: PdfRenderer, name: str, report: dict[str, Any]) -> PdfReader:
    return PdfReader(io.BytesIO(renderer.render(request(name, report))))


def elements(pdf: PdfReader) -> Iterator[Any]:
    """Every element of the tree, parents first."""
    waiting = [pdf.root_object["/StructTreeRoot"]["/K"][0].get_object()]
    while waiting:
        element = waiting.pop()
        yield element
        waiting += [kid for kid in reversed(kids(element)) if "/S" in kid]


def kids(element: Any) -> list[Any]:
    """The elements and references to annotations below an element; marks are numbers and not listed."""
    return [kid.get_object() for kid in element.get("/K", []) if not isinstance(kid.get_object(), int)]


def named(pdf: PdfReader, name: str) -> list[Any]:
    return [element for element in elements(pdf) if element["/S"] == name]


@pytest.mark.parametrize("shipped", PRODUCTS)
def test_headings_skip_no_level(renderer: PdfRenderer, shipped: str) -> None:
    found = [int(e["/S"][2]) for e in elements(opened(renderer, shipped, sample(shipped))) if e["/S"][:2] == "/H"]
    assert found[0] == 1
    assert all(level <= before + 1 for before, level in pairwise(found))


@pytest.mark.parametrize(
    ("levels", "read"), [((1, 3, 3, 2, 3), "12223"), ((2, 3, 1, 3), "1212"), ((3, 2, 1), "111"), ((1, 2, 3), "123")]
)
def test_equal_headings_are_equal_and_deeper_ones_are_one_deeper(
    tmp_path: Path, levels: tuple[int, ...], read: str
) -> None:
    blocks = "".join(f"  - {{block: heading, level: {level}, text: Bab}}\n" for level in levels)
    pdf = opened(product(tmp_path, re.sub("  - {block: heading.*\n", "", GOOD) + blocks), "uji", {"nama": "Ayu"})
    assert "".join(e["/S"][2] for e in elements(pdf) if e["/S"][:2] == "/H") == read


def test_a_table_has_rows_of_equal_length_and_its_head_is_read_once(renderer: PdfRenderer) -> None:
    report = sample("profilKepribadian")
    report["jawaban"] = [{**answer, "nomor": n} for n, answer in enumerate(report["jawaban"] * 6, start=1)]
    tables = named(opened(renderer, "profilKepribadian", report), "/Table")
    assert max(len(kids(table)) for table in tables) == len(report["jawaban"]) + 1
    for table in tables:
        rows = [kids(row) for row in kids(table)]
        assert {len(row) for row in rows} == {len(rows[0])}
        assert {cell["/S"] for cell in rows[0]} == {"/TH"}
        assert {cell["/A"]["/Scope"] for cell in rows[0]} == {"/Column"}
        assert {cell["/S"] for row in rows[1:] for cell in row} == {"/TD"}


def test_a_list_has_entries_with_a_sign_and_a_body(renderer: PdfRenderer) -> None:
    lists = named(opened(renderer, "minatBakatUmum", sample("minatBakatUmum")), "/L")
    assert len(kids(lists[0])) == 3
    for entry in kids(lists[0]):
        sign, body = kids(entry)
        assert (entry["/S"], sign["/S"], sign["/ActualText"], body["/S"]) == ("/LI", "/Lbl", "•", "/LBody")


def test_a_line_of_the_contents_is_a_link_that_says_where_it_leads(renderer: PdfRenderer) -> None:
    pdf = opened(renderer, "minatBakatUmum", sample("minatBakatUmum"))
    contents = named(pdf, "/TOC")
    assert len(contents) == 1
    numbers = pdf.root_object["/StructTreeRoot"]["/ParentTree"]["/Nums"]
    owners = dict(zip(numbers[::2], numbers[1::2], strict=True))
    for line in kids(contents[0]):
        (link,) = kids(line)
        (reference,) = kids(link)
        note = reference["/Obj"].get_object()
        assert (line["/S"], link["/S"], note["/Subtype"]) == ("/TOCI", "/Link", "/Link")
        assert owners[note["/StructParent"]].get_object() == link
        assert note["/Contents"]
    assert kids(kids(kids(contents[0])[0])[0])[0]["/Obj"].get_object()["/Contents"] == "Ringkasan"
    assert {page["/Tabs"] for page in pdf.pages} == {"/S"}


def test_a_paragraph_over_two_pages_is_one(renderer: PdfRenderer) -> None:
    report = sample("minatBakatUmum") | {"catatan": LONG}
    paragraphs = named(opened(renderer, "minatBakatUmum", report), "/P")
    pages = [{e.raw_get("/Pg"), *(kid["/Pg"].indirect_reference for kid in kids(e))} for e in paragraphs]
    assert max(map(len, pages)) >= 2


def test_a_chart_over_two_pages_is_one_figure(tmp_path: Path) -> None:
    bars = '  - {block: bars, title: Batang, items: isi, label: "{{ butir }}", value: butir, scale: skor}\n'
    pdf = opened(product(tmp_path, GOOD + bars), "uji", {"nama": "Ayu", "isi": list(range(60))})
    assert len(pdf.pages) > 1
    (figure,) = named(pdf, "/Figure")
    assert figure["/Alt"].startswith("Batang. 0: 0 (Rendah); 1: 1 (Rendah)")


def test_signs_of_a_name_are_read_as_they_are(tmp_path: Path) -> None:
    bars = '  - {block: bars, title: "{{ nama }}", items: "[nama]", label: "{{ butir }}", value: "9", scale: skor}\n'
    (figure,) = named(opened(product(tmp_path, GOOD + bars), "uji", {"nama": "A*b* \\c"}), "/Figure")
    assert figure["/Alt"] == "A*b* \\c. A*b* \\c: 9 (Rendah)."


def test_other_scripts_are_read_in_their_language(renderer: PdfRenderer) -> None:
    report = sample("profilKognitif")
    report["peserta"]["nama"] = "Ayu محمد ꦱꦸꦭꦠꦤ꧀ ᬦ᭄ᬕᬸᬭᬄ अर्जुन"
    pdf = opened(renderer, "profilKognitif", report)
    content = pdf.pages[0].get_contents()
    assert content is not None
    assert set(re.findall(rb"/Lang\((\w+)\)", content.get_data())) == {b"ar", b"jv", b"ban", b"hi"}


def test_a_divided_word_can_be_joined_again(renderer: PdfRenderer) -> None:
    """Given hyphens at line ends, then they are soft; a hyphen that belongs to a word is none of them."""
    said = copied(renderer.render(request("profilKepribadian", sample("profilKepribadian"))))
    assert len(re.findall("\u00ad\n", said)) > 5
    assert "gambar\u00ad\nkan" in said
    assert not re.findall("\u00ad[^\n]", said)
