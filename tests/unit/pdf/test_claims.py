"""No report claims of anybody what the data do not bear. `tests/soak` asks the same of many more people."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from actors.pdf.renderer import TEMPLATES, PdfRenderer
from tests.claims import forbidden, kind_of, text_of
from tests.invented import all_low, flat, person, sample
from tests.unit.pdf.conftest import PRODUCTS, WatchedCanvas, request

PEOPLE = 8
COMPARING = (
    "dibedakan", "jelas lebih", "dua dari tiga orang", "Pembanding", "None", "rentangnya mencakup",
    "told apart", "clearly stronger", "clearly higher", "stands clearly", "two in three people",
    "Compared with", "range covers", "norma contoh", "example norms",
)  # fmt: skip


@pytest.mark.parametrize("product", PRODUCTS)
def test_with_unknown_norms_no_sentence_has_a_gap_and_nothing_is_compared(
    tmp_path: Path, watched: type[WatchedCanvas], product: str
) -> None:
    nothing_is_compared(tmp_path, watched, product, 4)


def nothing_is_compared(folder: Path, watched: type[WatchedCanvas], product: str, people: int) -> None:
    """The scales are a folder of one's own; an edition takes them from there, too."""
    original = kind_of(product)[0]
    shutil.copytree(TEMPLATES / original, folder / original)
    template = folder / original / "template.yaml"
    template.write_text(template.read_text("utf-8").replace("norm: example", "norm: unknown"), "utf-8")
    renderer = PdfRenderer((folder,))
    for report in (sample(product), *(person(product, seed) for seed in range(people))):
        said = " ".join(text_of(renderer.render(request(product, report))).split())
        for word in COMPARING:
            assert word not in said
    assert [
        box.text for box in watched.boxes if re.search(r"(?<!\d)–(?!\d)", box.text) and box.text.count(" ") > 3
    ] == []


@pytest.mark.parametrize("product", PRODUCTS)
def test_nothing_is_claimed_that_the_data_do_not_bear(renderer: PdfRenderer, product: str) -> None:
    for report in (sample(product), *(person(product, seed) for seed in range(PEOPLE))):
        said = text_of(renderer.render(request(product, report)))
        assert forbidden(product, report, said) == [], report


@pytest.mark.parametrize("product", ["minatBakatUmum", "minatBakatUmumEn"])
def test_somebody_low_in_everything_has_no_strengths(renderer: PdfRenderer, product: str) -> None:
    said = text_of(renderer.render(request(product, all_low(product))))
    assert forbidden(product, all_low(product), said) == []
    for claim in (
        *("Kekuatan relatif", "jelas lebih", "Kode Holland:", "layak dijajaki lebih dahulu ialah"),
        *("Relative strengths", "clearly", "Holland code:", "worth exploring first"),
    ):
        assert claim not in said
    assert "Semuanya berada di paruh bawah skala" in said or "All of them lie in the lower half of the scale" in said


@pytest.mark.parametrize(("product", "times"), [("minatBakatUmum", 4), ("minatBakatUmumEn", 5)])
def test_a_flat_profile_is_told_as_flat(renderer: PdfRenderer, product: str, times: int) -> None:
    said = text_of(renderer.render(request(product, flat(product))))
    assert forbidden(product, flat(product), said) == []
    for claim in (
        *("Yang masih dapat dikembangkan", "jelas lebih", "Kode Holland:", "Selisih yang dapat dibedakan"),
        *("Areas for development", "clearly", "Holland code:", "Reliable differences"),
    ):
        assert claim not in said
    assert said.count(kind_of(product)[1].flat) == times, "twice in the summary, once for each part"


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_checker_notices_a_report_about_somebody_else(renderer: PdfRenderer, product: str) -> None:
    """Given the text of one person and the data of another, then it finds what is false: it can fail."""
    said = text_of(renderer.render(request(product, sample(product))))
    assert [seed for seed in range(5) if not forbidden(product, person(product, seed), said)] == []


@pytest.mark.parametrize(
    ("product", "true", "false"),
    [
        ("minatBakatUmum", "investigatif, sosial, dan artistik", "investigatif, sosial, dan konvensional"),
        ("minatBakatUmum", "Kode Holland: ISA", "Kode Holland: IAS"),
        ("minatBakatUmum", "Kode Holland: ISA", "Kode Holland: ISK"),
        ("minatBakatUmum", "Penggunaan bahasa (skor", "Penalaran numerik (skor"),
        ("minatBakatUmum", "114–134 95 Ratarata hingga tinggi", "114–134 95 Tinggi"),
        ("minatBakatUmum", "114–134 95", "119–129 95"),
        ("profilKepribadian", "(rentang 57–75): ratarata hingga tinggi", "(rentang 57–75): tinggi"),
        ("profilKognitif", "(kategori tidak ditetapkan)", "(kategori ratarata)"),
        ("profilKognitif", "skor ini", "hampir pasti skor ini"),
        ("minatBakatUmumEn", "Investigative, Social and Artistic", "Investigative, Social and Conventional"),
        ("minatBakatUmumEn", "Holland code: ISA", "Holland code: IAS"),
        ("minatBakatUmumEn", "Holland code: ISA", "Holland code: ISC"),
        ("minatBakatUmumEn", "Language usage (score", "Numerical reasoning (score"),
        ("minatBakatUmumEn", "114–134 95 Average to high", "114–134 95 High"),
        ("minatBakatUmumEn", "114–134 95", "119–129 95"),
        ("profilKepribadianEn", "(range 57–75): average to high", "(range 57–75): high"),
        ("profilKognitifEn", "(category: not determined)", "(category: average)"),
        ("profilKognitifEn", "this score", "almost certainly this score"),
    ],
)
def test_the_checker_notices_a_false_word(renderer: PdfRenderer, product: str, true: str, false: str) -> None:
    said = text_of(renderer.render(request(product, sample(product))))
    assert true in said, said
    assert forbidden(product, sample(product), said) == []
    assert forbidden(product, sample(product), said.replace(true, false)) != []
