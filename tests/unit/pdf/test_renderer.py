"""The renderer as its callers see it: bytes, progress, errors, nothing left behind."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pypdf import PdfReader

from actors.pdf.renderer import TEMPLATES, PdfRenderer
from ops.stack import ROOT
from schema.errors import Cancelled, Permanent
from tests.unit.pdf.conftest import PRODUCTS, request, sample, text_of


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_sample_becomes_a_document_with_the_persons_name(renderer: PdfRenderer, product: str) -> None:
    report = sample(product)
    pdf = renderer.render(request(product, report))
    assert len(PdfReader(io.BytesIO(pdf)).pages) >= 4
    assert report["peserta"]["nama"] in text_of(pdf)


def test_equal_requests_give_equal_bytes() -> None:
    """Given two renderers, then what one of them has drawn before does not show in the file."""
    report = sample("minatBakatUmum")
    other = {**report, "peserta": {**report["peserta"], "nama": "Ngurah ᬦ᭄ᬕᬸᬭᬄ Ľubomír"}}
    first, second = PdfRenderer(), PdfRenderer()
    before = first.render(request("minatBakatUmum", report))
    second.render(request("minatBakatUmum", other))
    assert second.render(request("minatBakatUmum", report)) == before


DIGEST = """
import hashlib
from actors.pdf.renderer import PdfRenderer
from tests.unit.pdf.conftest import request, sample
report = sample("minatBakatUmum")
report["peserta"]["nama"] = "Ngurah ᬦ᭄ᬕᬸᬭᬄ Ľubomír محمد علاء"
print(hashlib.sha256(PdfRenderer().render(request("minatBakatUmum", report))).hexdigest(), hash("a"))
"""


def test_every_process_gives_the_same_bytes() -> None:
    """Given processes with other hash seeds, so that sets and dictionaries of theirs differ in order."""
    said = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        said.append(done.stdout.split())
    assert said[0][1] != said[1][1]
    assert said[0][0] == said[1][0]


def test_the_stores_own_keys_are_ignored(renderer: PdfRenderer) -> None:
    report = sample("minatBakatUmum")
    stored = {
        **report,
        "_id": object(),
        "code": "A1",
        "product_id": "minatBakatUmum",
        "pdf_generation": {"status": "x"},
    }
    assert renderer.render(request("minatBakatUmum", stored)) == renderer.render(request("minatBakatUmum", report))


def test_progress_rises_to_a_hundred(renderer: PdfRenderer) -> None:
    seen: list[int] = []
    renderer.render(request("minatBakatUmum", sample("minatBakatUmum")), seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert len(seen) > 10


@pytest.mark.parametrize("limit", [1, 30, 60, 75, 100])
def test_what_progress_raises_stops_the_drawing_and_leaves_nothing_behind(limit: int) -> None:
    renderer = PdfRenderer()
    job = request("minatBakatUmum", sample("minatBakatUmum"))
    whole = renderer.render(job)

    def stop(percent: int) -> None:
        if percent >= limit:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        renderer.render(job, stop)
    assert renderer.render(job) == whole


@pytest.mark.parametrize("product", ["tidakAda", "../minatBakatUmum", "", ".", "a/b", "x" * 300, "minatBakatUmum\0"])
def test_an_unknown_product_is_a_permanent_error(renderer: PdfRenderer, product: str) -> None:
    with pytest.raises(Permanent) as caught:
        renderer.render(request(product, {}))
    assert caught.value.code == "template_not_found"
    assert "minatBakatUmum" in caught.value.detail


def test_wrong_data_says_where_and_what_was_expected(renderer: PdfRenderer) -> None:
    report = sample("minatBakatUmum")
    report["minat"][2]["skor"] = "tinggi"
    with pytest.raises(Permanent) as caught:
        renderer.render(request("minatBakatUmum", report))
    assert caught.value.code == "invalid_data"
    assert "minat[2].skor" in caught.value.detail
    assert "expected number or null, found a text" in caught.value.detail


def test_an_error_does_not_carry_the_report_along(renderer: PdfRenderer) -> None:
    """Errors travel into callbacks and logs: given a wrong object, then none of its content is quoted."""
    report = sample("minatBakatUmum")
    report["minat"] = {"rahasia": report["minat"]}
    with pytest.raises(Permanent) as caught:
        renderer.render(request("minatBakatUmum", report))
    assert "minat: expected array, found an object" in caught.value.detail
    report = sample("minatBakatUmum")
    report["peserta"]["nama"] = "Kartika " * 100
    with pytest.raises(Permanent) as caught:
        renderer.render(request("minatBakatUmum", report))
    assert "peserta.nama: does not satisfy maxLength: 300" in caught.value.detail


def test_the_shipped_products_are_listed(renderer: PdfRenderer) -> None:
    assert set(PRODUCTS) <= set(renderer.products())
    assert Path(TEMPLATES, "minatBakatUmum").is_dir()


@pytest.mark.parametrize("score", [float("nan"), float("inf"), 10**400])
def test_a_number_that_is_none_is_wrong_data(renderer: PdfRenderer, score: float) -> None:
    """JSON readers let NaN pass and JSON Schema does not mind: it must not become an operator."""
    report = sample("profilKognitif")
    report["kemampuan"][0]["skor"] = score
    with pytest.raises(Permanent) as caught:
        renderer.render(request("profilKognitif", report))
    assert caught.value.code == "invalid_data"


def test_the_file_says_what_it_is(renderer: PdfRenderer) -> None:
    pdf = PdfReader(io.BytesIO(renderer.render(request("minatBakatUmum", sample("minatBakatUmum"), "pdf_7"))))
    assert pdf.metadata is not None
    assert pdf.metadata.title == "Laporan Minat dan Bakat – Raden Ayu Kartika Wulandari"
    assert pdf.metadata.author == "Biro Psikologi Cakrawala"
    assert pdf.metadata.subject == "Hasil tes minat dan bakat umum"
    assert pdf.metadata["/Keywords"] == "pdf_7"
    assert pdf.root_object["/Lang"] == "id"
    version = renderer.template("minatBakatUmum").version
    assert f"<dc:source>minatBakatUmum {version}</dc:source>".encode() in pdf.root_object["/Metadata"].get_data()
    titles = [entry["/Title"] for entry in pdf.outline if not isinstance(entry, list)]
    assert titles == ["Daftar isi", "Ringkasan", "Minat Anda", "Bakat Anda", "Saran"]
    assert "Halaman 3 dari 6" in pdf.pages[2].extract_text()


@pytest.mark.parametrize(
    ("product", "said"),
    [
        ("minatBakatUmum", "Segi enam minat. Skala 0–100, skor mentah, reliabilitas contoh. "
         "Realistik: 46, rentang kepercayaan 90% 37–55; Investigatif: 88, rentang kepercayaan 90% 79–97; "),
        ("minatBakatUmum", "Delapan kemampuan dengan rentangnya. Skala 40–160, rata-rata 100, simpangan baku 15, norma "
         "contoh. Penalaran verbal: 124, rentang kepercayaan 90% 114–134, kategori rata-rata hingga tinggi, persentil 95; "
         "Penalaran numerik: 105, rentang kepercayaan 90% 95–115, kategori rata-rata, persentil 63; "),
        ("profilKognitif", "Skor keseluruhan. Skala 40–160, rata-rata 100, simpangan baku 15, norma contoh. "
         "Skor keseluruhan: 105, rentang kepercayaan 95% 92–118, kategori rata-rata hingga tinggi, persentil 63."),
        ("profilKepribadian", "Lima sifat dalam skor T. Skala 20–80, rata-rata 50, simpangan baku 10, norma contoh. "
         "Ekstraversi (Tenang, hemat kata – Ramai, suka bergaul): 56, rentang kepercayaan 90% 47–65, "),
    ],
)  # fmt: skip
def test_charts_are_described_for_those_who_cannot_see_them(renderer: PdfRenderer, product: str, said: str) -> None:
    """Scale, value, interval, category and percentile; between two poles both, and not the wrong one alone."""
    pdf = PdfReader(io.BytesIO(renderer.render(request(product, sample(product)))))
    elements = [element.get_object() for element in pdf.root_object["/StructTreeRoot"]["/K"][0]["/K"]]
    spoken = [element["/Alt"] for element in elements if element["/S"] == "/Figure"]
    assert [text for text in spoken if text.startswith(said)], spoken


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_screen_reader_meets_every_word(renderer: PdfRenderer, tmp_path: Path, product: str) -> None:
    """The file says it is tagged: given its tags alone, then headings and all text but furniture are there."""
    file = tmp_path / "report.pdf"
    file.write_bytes(renderer.render(request(product, sample(product))))
    done = subprocess.run(["pdfinfo", "-struct-text", str(file)], capture_output=True, check=True, timeout=60)
    tagged = done.stdout.decode("utf-8")
    assert "H1 (block)" in tagged
    assert "P (block)" in tagged
    assert not re.search(r"Halaman 2 dari|Page 2 of", tagged)
    drawn = subprocess.run(["pdftotext", str(file), "-"], capture_output=True, check=True, timeout=60).stdout.decode()
    heard = re.sub("[ \u00ad-]", "", "".join(re.findall(r'"(.*?)"', tagged)))  # words divided at a line's end
    prose = [line for line in drawn.splitlines() if len(line.split()) > 6 and drawn.count(line) < 3]  # no header
    assert len(prose) > 15
    assert [line for line in prose if re.sub("[ \u00ad-]", "", line) not in heard] == []
    name = sample(product)["peserta"]["nama"]
    assert f'P (block)\n    "{name} "' in tagged, "the lines of the cover run into each other"


def test_the_contents_lead_to_their_pages(renderer: PdfRenderer) -> None:
    pdf = PdfReader(io.BytesIO(renderer.render(request("minatBakatUmum", sample("minatBakatUmum")))))
    links = [note.get_object() for note in pdf.pages[1]["/Annots"]]
    assert len(links) == 12
    assert pdf.get_page_number(links[-1]["/Dest"][0].get_object()) == 5
