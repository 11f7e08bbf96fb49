"""What the renderer's tests share: requests, the text of a PDF, and a canvas that remembers where text stands."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pypdf import PdfReader

from actors.pdf.drawing import prose
from actors.pdf.page import document
from actors.pdf.page.canvas import Canvas
from actors.pdf.renderer import TEMPLATES, PdfRenderer
from actors.pdf.style import A4, Sheet
from actors.pdf.text.linebreak import Line
from actors.pdf.text.words import Chunk
from ops.authoring.gallery import make_product
from ops.servers.packages import need
from schema.ports import RenderRequest
from tests.people import people

DATE = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PRODUCTS = sorted(path.parent.name for path in TEMPLATES.glob("*/sample.json"))


@pytest.fixture(scope="session", autouse=True)
def poppler() -> None:
    """pdftotext and pdftoppm, the judges of what was drawn."""
    need("poppler-utils")


def sample(product: str) -> dict[str, Any]:
    """The sample report of a shipped product, fresh."""
    found: dict[str, Any] = json.loads((TEMPLATES / product / "sample.json").read_text("utf-8"))
    return found


def request(product: str, report: dict[str, Any], document_id: str = "pdf_01JD00000000000000000000") -> RenderRequest:
    """A request whose date and id never change."""
    return RenderRequest(product, report, document_id, DATE)


def text_of(pdf: bytes) -> str:
    """Everything the PDF says, as a reader would copy it."""
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def copied(pdf: bytes, *options: str) -> str:
    """What poppler's pdftotext reads, /ActualText included; its marks of direction are left out."""
    done = subprocess.run(["pdftotext", *options, "-", "-"], input=pdf, capture_output=True, check=True, timeout=60)
    return re.sub("[\u202a-\u202e\u2066-\u2069]", "", done.stdout.decode("utf-8"))


@dataclass(frozen=True)
class Box:
    """Where a line of text stands: points from the page's top left; ink only, not the leading."""

    page: int
    left: float
    top: float
    right: float
    bottom: float
    text: str
    stretch: float = 0.0  # points added to each word space

    def meets(self, other: Box) -> bool:
        """Whether two lines lie over each other by more than a hair."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return self.page == other.page and across > 0.6 and down > 0.6


class WatchedCanvas(Canvas):
    """A canvas that notes every line of text it draws."""

    boxes: ClassVar[list[Box]] = []
    too_wide: ClassVar[list[str]] = []  # lines set in a cell, a call-out or beside a chart that do not fit there
    pages = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        WatchedCanvas.pages += 1
        self.page = WatchedCanvas.pages

    def line(self, x: float, baseline: float, line: Line) -> None:
        chunks = line.chunks
        if chunks:
            size = max(chunk.type.size for chunk in chunks)
            gaps = sum(1 for chunk in chunks[:-1] if chunk.space)
            width = sum(chunk.width + chunk.space for chunk in chunks) - chunks[-1].space + gaps * line.stretch
            text = "".join(chunk.text + (" " if chunk.space else "") for chunk in chunks)
            self.boxes.append(
                Box(self.page, x, baseline - 0.68 * size, x + width, baseline + 0.16 * size, text, line.stretch)
            )
        super().line(x, baseline, line)


def misplaced(boxes: list[Box], sheet: Sheet = A4) -> list[str]:
    """Sentences about lines that leave the text block or the page, or lie over one another."""
    wrong = [
        f"page {box.page}: {box.text[:60]!r} from {box.left:.1f} to {box.right:.1f}"
        for box in boxes
        if box.left < sheet.left - 0.6
        or box.right > sheet.left + sheet.measure + 0.6
        or box.top < 20
        or box.bottom > sheet.height - 20
    ]
    by_page: dict[int, list[Box]] = {}
    for box in boxes:
        by_page.setdefault(box.page, []).append(box)
    for together in by_page.values():
        together.sort(key=lambda box: box.top)
        for place, box in enumerate(together):
            for other in together[place + 1 :]:
                if other.top > box.bottom:
                    break
                if box.meets(other):
                    wrong.append(f"page {box.page}: {box.text[:50]!r} lies over {other.text[:50]!r}")
    return wrong


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[WatchedCanvas]]:
    """Every canvas made from now on is watched."""
    monkeypatch.setattr(document, "Canvas", WatchedCanvas)
    for name in ("ragged", "justified"):
        monkeypatch.setattr(prose, name, measuring(getattr(prose, name)))
    WatchedCanvas.boxes.clear()
    WatchedCanvas.too_wide.clear()
    yield WatchedCanvas
    WatchedCanvas.boxes.clear()
    WatchedCanvas.too_wide.clear()


def measuring(set_lines: Callable[..., list[Line]]) -> Callable[..., list[Line]]:
    """The same division into lines, which notes those wider than they may be."""

    def measured(chunks: list[Chunk], measure: float, **how: bool) -> list[Line]:
        lines = set_lines(chunks, measure, **how)
        for line in lines:
            if not line.chunks:
                continue
            width = sum(chunk.width + chunk.space for chunk in line.chunks) - line.chunks[-1].space
            width += line.stretch * sum(1 for chunk in line.chunks[:-1] if chunk.space)
            if max(width, line.width) > measure + 0.6:
                WatchedCanvas.too_wide.append(f"{line.chunks[0].text[:40]!r}: {width:.1f} in {measure:.1f}")
        return lines

    return measured


@pytest.fixture(scope="session")
def renderer() -> PdfRenderer:
    return PdfRenderer()


@dataclass(frozen=True)
class Crowd:
    """What is known of a renderer that has drawn every fortieth person of `tests.people`."""

    before: bytes  # the sample of profilKepribadian, drawn by another renderer before any of them
    renderer: PdfRenderer
    drawn: Counter[str]  # files of each product


@pytest.fixture(scope="session")
def crowd() -> Crowd:
    """Drawn once, for all who only look at what came of it."""
    before = PdfRenderer().render(request("profilKepribadian", sample("profilKepribadian")))
    renderer, drawn = PdfRenderer(), Counter[str]()
    for product, report in people(every=40):
        drawn[product] += renderer.render(request(product, report)).startswith(b"%PDF")
    return Crowd(before, renderer, drawn)


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> tuple[PdfRenderer, str]:
    """A renderer that knows a product made of every block, and that product's name."""
    folder = tmp_path_factory.mktemp("products")
    product = make_product(Path(folder))
    return PdfRenderer((Path(folder),)), product
