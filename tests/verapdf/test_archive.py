"""Every shipped report is PDF/A-2a and PDF/UA-1, whoever it is about: veraPDF judges it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from actors.pdf.fonts.font_file import FONTS
from actors.pdf.renderer import PdfRenderer
from actors.pdf.style import SHEETS
from ops.authoring.gallery import make_product
from ops.authoring.gallery import sample as gallery_sample
from tests.unit.pdf.conftest import PRODUCTS, request, sample
from tests.unit.pdf.test_brands import BRAND
from tests.verapdf.crowd import crowd, scripts
from tests.verapdf.judge import FLAVOURS, failures, judged

pytestmark = pytest.mark.timeout(600)  # Java, JAXB and what they need are installed the first time


def test_the_samples_every_block_every_script_and_twenty_people_of_each_product(tmp_path: Path) -> None:
    product, renderer = make_product(tmp_path / "products"), PdfRenderer((tmp_path / "products",))
    files = [(f"{name}.pdf", renderer.render(request(name, sample(name)))) for name in PRODUCTS]
    files += [("gallery.pdf", renderer.render(request(product, gallery_sample())))]
    files += [*scripts(), *crowd(20, seed=15)]
    (tmp_path / "files").mkdir()
    verdicts = judged(tmp_path / "files", files)
    assert set(verdicts) == {(name, flavour) for name, _ in files for flavour in FLAVOURS}
    assert min(verdict.checks for verdict in verdicts.values()) > 1_000
    assert failures(verdicts) == []


def test_a_brands_every_block_on_every_sheet(tmp_path: Path) -> None:
    """With a logo, colours, a footer and fonts of its own."""
    files = []
    for size, orientation in SHEETS:
        folder = tmp_path / f"{size}-{orientation}"
        folder.mkdir()
        shutil.copy(FONTS / "NotoSans-Bold.ttf", folder / "Kita.ttf")
        own = {"page": {"size": size, "orientation": orientation}, "fonts": {"body": "Kita.ttf", "sans": "body"}}
        product = make_product(folder, brand=BRAND | own)
        files.append((f"{folder.name}.pdf", PdfRenderer((folder,)).render(request(product, gallery_sample()))))
    (tmp_path / "files").mkdir()
    verdicts = judged(tmp_path / "files", files)
    assert set(verdicts) == {(name, flavour) for name, _ in files for flavour in FLAVOURS}
    assert failures(verdicts) == []


def test_the_judge_can_condemn(tmp_path: Path) -> None:
    """Given reports without their metadata or without the alternative texts of figures, then veraPDF refuses them."""
    pdf = PdfRenderer().render(request("profilKognitif", sample("profilKognitif")))
    unknown, mute = pdf.replace(b"pdfaid:part>2<", b"pdfaid:part>9<"), pdf.replace(b"/Alt ", b"/Xlt ")
    assert unknown != pdf != mute
    verdicts = judged(tmp_path, [("unknown.pdf", unknown), ("mute.pdf", mute)])
    assert [line[:6] for line in verdicts["unknown.pdf", "2a"].failures] == ["6.6.4-"]
    assert verdicts["mute.pdf", "2a"].failures == []
    assert {line[:6] for line in verdicts["mute.pdf", "ua1"].failures} == {"7.3-1 "}
