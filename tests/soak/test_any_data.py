"""Every block with any data at all, hundreds of times and on every sheet: no text leaves its box or lies over another."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from actors.pdf.renderer import PdfRenderer
from actors.pdf.style import SHEETS
from tests.unit.pdf.conftest import WatchedCanvas, gallery, watched
from tests.unit.pdf.test_brands import every_block_fits, overflowing
from tests.unit.pdf.test_properties import any_report, drawn

__all__ = ["gallery", "overflowing", "watched"]  # fixtures
pytestmark = pytest.mark.timeout(3600)


def test_every_block_with_any_data(gallery: tuple[PdfRenderer, str], watched: type[WatchedCanvas]) -> None:
    renderer, product = gallery
    found = {seed: drawn(renderer, product, any_report(random.Random(seed)), watched) for seed in range(300)}
    assert {seed: wrong for seed, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("kind", SHEETS, ids="-".join)
def test_every_block_fits_every_sheet(
    tmp_path: Path, watched: type[WatchedCanvas], overflowing: list[str], kind: tuple[str, str]
) -> None:
    every_block_fits(tmp_path, watched, overflowing, kind, [None, *range(100)])
