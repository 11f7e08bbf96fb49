"""A preview says on every page, and in its metadata, that it must not be kept; a voice reads that at most once."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from actors.pdf.renderer import PdfRenderer
from tests.claims import EDITION
from tests.unit.pdf.conftest import PRODUCTS, request, sample, text_of
from tests.unit.pdf.test_templates import GOOD, product


def drawn(renderer: PdfRenderer, name: str, report: dict[str, object]) -> tuple[bytes, bytes]:
    """The report, and its preview."""
    asked = request(name, report)
    return renderer.render(asked), renderer.render(replace(asked, preview=True))


@pytest.mark.parametrize("shipped", PRODUCTS)
def test_every_page_of_a_preview_has_the_mark_and_no_page_of_a_report(renderer: PdfRenderer, shipped: str) -> None:
    report, preview = (PdfReader(io.BytesIO(pdf)) for pdf in drawn(renderer, shipped, sample(shipped)))
    assert len(report.pages) == len(preview.pages) > 3
    mark = "PREVIEW" if shipped.endswith(EDITION) else "CONTOH"
    assert not any(mark in page.extract_text() for page in report.pages)
    assert all(mark in page.extract_text() for page in preview.pages)


@pytest.mark.parametrize("shipped", PRODUCTS)
def test_the_mark_is_drawn_over_the_same_page_and_not_read_out(renderer: PdfRenderer, shipped: str) -> None:
    report, preview = (PdfReader(io.BytesIO(pdf)) for pdf in drawn(renderer, shipped, sample(shipped)))
    for plain, marked in zip(report.pages, preview.pages, strict=True):
        before, after = plain.get_contents().get_data(), marked.get_contents().get_data()
        assert after.startswith(before)
        added = after[len(before) :].split()
        assert (added[:2], added[-1]) == ([b"/Artifact", b"BMC"], b"EMC")
        assert added.count(b"q") == added.count(b"Q") == 1
        assert b"/MCID" not in b" ".join(added)


def test_a_preview_claims_no_conformance_and_says_what_it_is(renderer: PdfRenderer) -> None:
    report, preview = drawn(renderer, PRODUCTS[0], sample(PRODUCTS[0]))
    assert b"<pdfaid:part>2" in report
    assert b"<pdfuaid:part>1" in report
    assert b"<pdfaid:" not in preview
    assert b"<pdfuaid:" not in preview
    metadata = PdfReader(io.BytesIO(preview)).metadata
    assert metadata is not None
    assert metadata.title is not None
    assert metadata.title.startswith("CONTOH ")
    assert str(metadata["/Keywords"]).startswith("preview pdf_")


@pytest.mark.parametrize(
    ("language", "word"),
    [("id", "CONTOH"), ("id-ID", "CONTOH"), ("en", "PREVIEW"), ("en-GB", "PREVIEW")],
)
def test_the_mark_is_in_the_language_of_the_template(tmp_path: Path, language: str, word: str) -> None:
    renderer = product(tmp_path, f"language: {language}\n" + GOOD.replace("language: id\n", ""))
    _, preview = drawn(renderer, "uji", {"nama": "Ayu"})
    assert word in text_of(preview)


def test_a_preview_is_drawn_the_same_each_time(renderer: PdfRenderer) -> None:
    asked = replace(request(PRODUCTS[0], sample(PRODUCTS[0])), preview=True)
    assert renderer.render(asked) == renderer.render(asked)
