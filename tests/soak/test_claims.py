"""Six hundred invented people per product and language, and not one claim that their data do not bear."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from actors.pdf.renderer import PdfRenderer
from ops.servers.packages import need
from schema.ports import RenderRequest
from tests.claims import forbidden, text_of
from tests.invented import person
from tests.unit.pdf.conftest import PRODUCTS, WatchedCanvas, watched
from tests.unit.pdf.test_claims import nothing_is_compared

__all__ = ["watched"]  # a fixture
PEOPLE = 600
pytestmark = pytest.mark.timeout(3600)


@pytest.mark.parametrize("product", PRODUCTS)
def test_nobody_is_told_what_is_not_known(product: str) -> None:
    need("poppler-utils")
    renderer, found = PdfRenderer(), dict[int, list[str]]()
    for seed in range(PEOPLE):
        report = person(product, seed)
        pdf = renderer.render(RenderRequest(product, report, f"pdf_{seed}", datetime(2026, 11, 23, tzinfo=UTC)))
        if wrong := forbidden(product, report, text_of(pdf)):
            found[seed] = wrong
    assert found == {}


@pytest.mark.parametrize("product", PRODUCTS)
def test_with_unknown_norms_nothing_is_compared(tmp_path: Path, watched: type[WatchedCanvas], product: str) -> None:
    nothing_is_compared(tmp_path, watched, product, 100)
