"""The table of contents lists every heading once, with the page and place where it stands."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from actors.pdf.renderer import PdfRenderer
from actors.pdf.style import A4, GRID
from tests.unit.pdf.conftest import request
from tests.unit.pdf.test_templates import GOOD, product

COLUMNS = """
  - {block: contents, at_least: 2}
  - {block: page_break}
  - {block: heading, text: "Bab dua"}
  - block: columns
    left:
      - {block: text, text: "Kata pengantar."}
      - {block: heading, level: 2, text: "Kolom kiri"}
      - {block: text, text: "{{ isi }}"}
    right:
      - {block: heading, level: 2, text: "Kolom kanan"}
      - {block: text, text: "Isi."}
  - {block: page_break}
  - {block: heading, text: "Bab tiga"}
"""


def opened(folder: Path, words: int) -> PdfReader:
    renderer: PdfRenderer = product(folder, GOOD + COLUMNS)
    report: dict[str, Any] = {"nama": "Ayu", "isi": "kata " * words}
    return PdfReader(io.BytesIO(renderer.render(request("uji", report))))


@pytest.mark.parametrize("words", [10, 3000], ids=["side by side", "one below the other"])
def test_headings_in_columns_are_listed_once_with_their_pages(tmp_path: Path, words: int) -> None:
    pdf = opened(tmp_path, words)
    listed = pdf.pages[1].extract_text()
    for title in ("Bab dua", "Kolom kiri", "Kolom kanan", "Bab tiga"):
        assert listed.count(title) == 1, listed
        page = next(n for n, one in enumerate(pdf.pages, start=1) if n > 2 and title in one.extract_text())
        assert f"{title} {page}" in listed


def test_entries_lead_to_the_heading_itself(tmp_path: Path) -> None:
    """A line above the heading, where it can be seen; the left column's stands below its first paragraph."""
    pdf = opened(tmp_path, 10)
    tops = [A4.height - float(note.get_object()["/Dest"][3]) for note in pdf.pages[1]["/Annots"]]
    chapter, left, right = tops[1], tops[2], tops[3]
    assert chapter == pytest.approx(92.0 - GRID, abs=1)
    assert chapter < right < left
