"""An edition is a product with texts of its own: all else it takes from the product that it names."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from actors.pdf.renderer import TEMPLATES, PdfRenderer
from schema.errors import Permanent
from tests.claims import EDITION, kind_of
from tests.unit.pdf.conftest import PRODUCTS, copied, request, sample

EDITIONS = [product for product in PRODUCTS if product.endswith(EDITION)]
ORIGINAL = """\
title: "Uji {{ nama }}"
subject: "Uji"
scales:
  skor:
    {low: 0, high: 100, mean: 50, sd: 10, reliability: 0.9, norm: {label: "{{ teks.siapa }}", n: 9, year: 2024, ages: 17+},
    bands: [{upto: 50, label: "{{ teks.rendah }}"}, {upto: 100, label: Tinggi}]}
blocks:
  - {block: heading, text: "{{ teks.salam }}"}
  - {block: image, file: logo.png, alternative: "x"}
  - block: each
    items: anak
    each: a
    blocks: [{block: text, text: "{{ teks.anak }}: {{ a.nilai | rentang('skor') }}, {{ a.nilai | kategori('skor') }}"}]
  - {block: table, rows: anak, each: a, columns: [{title: "{{ teks.kepala }}", cell: "{{ a.nama }}"}]}
  - {block: text, text: "{{ 'skor' | norma }}"}
"""
TEXTS = """\
salam: "Halo {{ nama }}"
siapa: Orang dewasa
rendah: Rendah
anak: "Nilai {{ a.nama }} ialah {{ teks.angka[0] }} {{ a.nilai }}"
angka: ["persis", "kira-kira"]
kepala: "Anak {{ nama }}"
"""
ENGLISH = """\
salam: "Hello {{ nama }}"
siapa: Adults
rendah: Low
anak: "{{ a.nilai }} is {{ teks.angka[0] }} what {{ a.nama }} has"
angka: ["exactly", "about"]
kepala: "Children of {{ nama }}"
"""
HEAD = 'edition_of: uji\nlanguage: en\ntitle: "Trial {{ nama }}"\nsubject: "Trial"\n'
DATA = {"nama": "Ayu", "anak": [{"nama": "Bayu", "nilai": 12}, {"nama": "Citra", "nilai": 30}]}


def saved(colour: tuple[int, int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (9, 9), colour).save(out, "PNG")
    return out.getvalue()


def write(folder: Path, name: str, **files: str) -> None:
    home = folder / name
    home.mkdir(parents=True, exist_ok=True)
    for stem, content in files.items():
        (home / f"{stem}.{'json' if stem == 'schema' else 'yaml'}").write_text(content, "utf-8")


def pair(folder: Path, head: str = HEAD, texts: str = ENGLISH, original: str = ORIGINAL) -> PdfRenderer:
    """A product and its edition."""
    write(folder, "uji", template=original, texts=TEXTS, schema='{"required": ["nama"]}')
    (folder / "uji" / "logo.png").write_bytes(saved((255, 0, 0)))
    write(folder, "ujiEn", template=head, texts=texts)
    return PdfRenderer((folder,))


def said(renderer: PdfRenderer, name: str, data: dict[str, Any] = DATA) -> str:
    return " ".join(copied(renderer.render(request(name, data))).split())


def refusal(renderer: PdfRenderer, name: str = "ujiEn") -> str:
    with pytest.raises(Permanent) as caught:
        renderer.render(request(name, DATA))
    assert caught.value.code == "template_invalid"
    return caught.value.detail


def test_each_says_the_same_in_its_own_words(tmp_path: Path) -> None:
    """Given blocks, scales, schema and picture once, then a text knows the values of the block that uses it."""
    renderer = pair(tmp_path)
    told, english = said(renderer, "uji"), said(renderer, "ujiEn")
    for words in (
        "Halo Ayu",
        "Nilai Bayu ialah persis 12: 6–18, Rendah",
        "Anak Ayu",
        "Orang dewasa, n = 9, 2024, usia 17+",
    ):
        assert words in told
    for words in (
        "Hello Ayu",
        "12 is exactly what Bayu has: 6–18, Low",
        "Children of Ayu",
        "Adults, n = 9, 2024, aged 17+",
    ):
        assert words in english
    assert (renderer.original("ujiEn"), renderer.original("uji")) == ("uji", "uji")
    with pytest.raises(Permanent, match=r"fit ujiEn: .*'nama' is a required"):
        renderer.render(request("ujiEn", {}))


def test_a_file_of_its_own_goes_before_the_originals(tmp_path: Path) -> None:
    renderer = pair(tmp_path)
    assert renderer.template("ujiEn").file("logo.png") == tmp_path / "uji" / "logo.png"
    (tmp_path / "ujiEn" / "logo.png").write_bytes(saved((0, 0, 255)))
    assert renderer.template("ujiEn").file("logo.png") == tmp_path / "ujiEn" / "logo.png"
    assert renderer.template("uji").file("logo.png") == tmp_path / "uji" / "logo.png"


def test_a_change_of_what_is_shared_changes_both_and_a_change_of_texts_one(tmp_path: Path) -> None:
    renderer = pair(tmp_path)

    def versions() -> tuple[str, str]:
        return renderer.version("uji"), renderer.version("ujiEn")

    first = versions()
    write(tmp_path, "uji", texts=TEXTS.replace("Halo", "Salam"))
    second = versions()
    assert (second[0] != first[0], second[1] != first[1]) == (True, False)
    write(tmp_path, "uji", template=ORIGINAL.replace("sd: 10", "sd: 20"))
    third = versions()
    assert (third[0] != second[0], third[1] != second[1]) == (True, True)
    assert "12 is exactly what Bayu has: 0–24" in said(renderer, "ujiEn")
    (tmp_path / "uji" / "logo.png").write_bytes(saved((0, 255, 0)))
    assert versions()[1] != third[1]


def test_the_original_is_that_of_the_first_folder(tmp_path: Path) -> None:
    """Given a folder of one's own with other norms, even one that is made later, then editions print those."""
    pair(tmp_path / "shipped")
    renderer = PdfRenderer((tmp_path / "own", tmp_path / "shipped"))
    before = said(renderer, "ujiEn")
    shutil.copytree(tmp_path / "shipped" / "uji", tmp_path / "own" / "uji")
    write(tmp_path / "own", "uji", template=ORIGINAL.replace("n: 9", "n: 77"))
    assert "n = 9" in before
    assert "n = 77" in said(renderer, "ujiEn")
    shutil.rmtree(tmp_path / "own" / "uji")
    assert said(renderer, "ujiEn") == before


def brand(folder: Path, content: str) -> None:
    (folder / "brand.yaml").write_text(content, "utf-8")
    (folder / "lambang.png").write_bytes(saved((0, 0, 255)))


def test_an_edition_takes_its_originals_brand_or_that_of_its_own_folder(tmp_path: Path) -> None:
    """Given an own copy of the original beside a brand, then the shipped edition is drawn with it, file and all."""
    pair(tmp_path / "shipped")
    renderer = PdfRenderer((tmp_path / "own", tmp_path / "shipped"))
    plain = renderer.version("ujiEn")
    write(tmp_path / "own", "uji", template=ORIGINAL + "page: {size: Letter}\n", texts=TEXTS, schema="{}")
    (tmp_path / "own" / "uji" / "logo.png").write_bytes(saved((255, 0, 0)))
    brand(
        tmp_path / "own",
        "{footer: Telepon 0274, language: id, page: {orientation: landscape}, logo: {file: lambang.png, alternative: x}}",
    )
    branded, layout = renderer.version("ujiEn"), renderer.template("ujiEn").layout
    assert (layout.page.size, layout.page.orientation, layout.language) == ("Letter", "landscape", "en")
    assert renderer.template("ujiEn").beside(("logo", "file"), "lambang.png") == tmp_path / "own" / "lambang.png"
    assert "Telepon 0274" in said(renderer, "ujiEn")
    brand(tmp_path / "shipped", "footer: Phone 0361")
    assert "Phone 0361" in said(renderer, "ujiEn")
    assert "Telepon 0274" in said(renderer, "uji")
    assert len({plain, branded, renderer.version("ujiEn")}) == 3


def test_what_an_edition_says_goes_before_its_original_and_that_before_the_brand(tmp_path: Path) -> None:
    own = HEAD + "colours: {accent: '#7C2D12'}\nheader: Own\n"
    renderer = pair(tmp_path, own, original=ORIGINAL + "colours: {primary: '#14532D'}\nheader: Sendiri\nfooter: Kaki\n")
    brand(
        tmp_path,
        "{colours: {primary: '#000000', accent: '#000000', ground: '#FFFFFF'}, header: B, footer: B, author: B}",
    )
    layout = renderer.template("ujiEn").layout
    assert (layout.header, layout.footer, layout.author) == ("Own", "Kaki", "B")
    assert (layout.colours.primary, layout.colours.accent, layout.colours.ground) == ("#14532D", "#7C2D12", "#FFFFFF")


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (("own", "page: {size: A3}"), "ujiEn/template.yaml, line 5: page.size"),
        (("original", "page: {size: A3}"), "uji/template.yaml, line 16: page.size"),
        (("original", "fonts: {sans: tiada.ttf}"), "uji/template.yaml, line 16: fonts.sans"),
        (("brand", "fonts: {sans: tiada.ttf}"), "brand.yaml, line 1: fonts.sans"),
        (("brand", "header: '{{ tiada }}'"), "brand.yaml, line 1: header"),
    ],
)
def test_a_mistake_is_that_of_the_file_which_makes_it(tmp_path: Path, wrong: tuple[str, str], place: str) -> None:
    written = {"own": "", "original": "", "brand": "", wrong[0]: f"{wrong[1]}\n"}
    renderer = pair(tmp_path, HEAD + written["own"], original=ORIGINAL + written["original"])
    brand(tmp_path, written["brand"])
    assert place in refusal(renderer)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (HEAD.replace("uji", "tiada"), "ujiEn/template.yaml, line 1: edition_of: there is no product 'tiada'"),
        (HEAD.replace("uji", "../uji"), "line 1: edition_of: there is no product '../uji'"),
        (HEAD.replace("uji", "ujiEn"), "line 1: edition_of: 'ujiEn' has no blocks of its own"),
        (HEAD.replace("edition_of: uji", "edition_of: [uji]"), "line 1: edition_of: there is no product"),
        (HEAD.replace('subject: "Trial"\n', ""), "line 1: (top): `subject` is missing: an edition has its own"),
        (HEAD + "warna: merah\n", "ujiEn/template.yaml, line 1: (top): Object contains unknown field `warna`"),
        (HEAD.replace("en\n", "fr\n"), "ujiEn/template.yaml, line 2: language: 'fr' is not one of id, en"),
    ],
)
def test_a_wrong_edition_is_named_with_its_line(tmp_path: Path, head: str, expected: str) -> None:
    assert expected in refusal(pair(tmp_path, head))


@pytest.mark.parametrize(
    ("lost", "place"),
    [('salam: "Hello {{ nama }}"\n', "line 1: salam"), (', "about"', "line 5: angka[1]"), ("Adults", "line 2: siapa")],
)
def test_a_text_that_the_original_has_may_not_be_missing(tmp_path: Path, lost: str, place: str) -> None:
    assert lost in ENGLISH
    detail = refusal(pair(tmp_path, texts=ENGLISH.replace(lost, "")))
    assert detail == f"ujiEn/texts.yaml, {place}: the text is missing that uji has there"


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [
        (("text: \"{{ teks.salam", "teks: \"{{ teks.salam"), "uji/template.yaml, line 8: blocks[0]: Object contains unknown"),
        (("teks.kepala", "teks.kaki"), "uji/template.yaml, line 14: blocks[3].columns[0].title: "),
        (("teks.rendah", "teks.tinggi"), "uji/template.yaml, line 3: scales: "),
        (("logo.png", "lambang.png"), "uji/template.yaml, line 9: blocks[1].file: there is no file"),
        (("logo.png", "../../x.png"), "uji/template.yaml, line 9: blocks[1].file: there is no file"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_blocks_is_the_originals(tmp_path: Path, mistake: tuple[str, str], expected: str) -> None:
    assert mistake[0] in ORIGINAL
    renderer = pair(tmp_path, original=ORIGINAL.replace(*mistake))
    assert [expected in refusal(renderer, name) for name in ("uji", "ujiEn")] == [True, True], refusal(renderer)


def test_texts_that_name_each_other_do_not_hang_the_list_of_products(tmp_path: Path) -> None:
    renderer = pair(tmp_path, texts=ENGLISH.replace("Low", "'{{ teks.rendah }}'"))
    assert renderer.template("ujiEn").layout.scales["skor"].bands[0].label == "{{ teks.rendah }}"


@pytest.mark.parametrize("product", EDITIONS)
def test_a_shipped_edition_speaks_english_alone_whatever_the_language_of_the_data(
    renderer: PdfRenderer, product: str
) -> None:
    """Given the Indonesian sample, then only what somebody wrote in free text is Indonesian."""
    report = sample(kind_of(product)[0])
    report["peserta"] |= {"pendidikan": "", "nama": "Ayu"}
    report["pemeriksa"] = {"nama": "Budi", "izin": "7", "lembaga": "Biro"}
    report |= {name: "" if name == "catatan" else [] for name in ("catatan", "jawaban", "butir") if name in report}
    words = set(re.findall(r"[a-z]+", said(renderer, product, report).lower()))
    indonesian = set()
    for text in (TEMPLATES / kind_of(product)[0] / "texts.yaml", TEMPLATES / product / "texts.yaml"):
        plain = re.sub(r"\{[{%].*?[%}]\}|^\s*[\w]+:", " ", text.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        found = set(re.findall(r"[a-z]{3,}", plain.lower()))
        indonesian = found if not indonesian else indonesian - found
    assert words & indonesian == set()
    assert len(words) > 150
    assert said(renderer, product, report).count("Page ") > 2
