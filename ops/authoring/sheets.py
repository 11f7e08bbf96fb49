"""Contact sheets: every page of the three shipped samples, side by side, one picture a product."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image, ImageOps

from actors.pdf.renderer import TEMPLATES, PdfRenderer
from ops.authoring.raster import pages, save
from schema.ports import RenderRequest

TARGET = Path(__file__).parent / "sheets"
DATE = datetime(2026, 11, 23, tzinfo=UTC)
ROW, DPI = 4, 64


def sample_pdf(product: str) -> bytes:
    """A product's sample, drawn as the references are: same id, same date."""
    report = json.loads((TEMPLATES / product / "sample.json").read_text("utf-8"))
    return PdfRenderer().render(RenderRequest(product, report, "pdf_01JDSAMPLE0000000000000000", DATE))


def products() -> list[str]:
    """The shipped products."""
    return sorted(path.parent.name for path in TEMPLATES.glob("*/sample.json"))


def sheet(pictures: list[Image.Image]) -> Image.Image:
    """Pages in rows of four, with a thin edge."""
    edged = [ImageOps.expand(picture.convert("RGB"), 3, (150, 150, 150)) for picture in pictures]
    width, height = edged[0].size
    rows = -(-len(edged) // ROW)
    whole = Image.new("RGB", (width * min(ROW, len(edged)), height * rows), (150, 150, 150))
    for place, picture in enumerate(edged):
        whole.paste(picture, (place % ROW * width, place // ROW * height))
    return whole


def main(argv: list[str]) -> int:
    """Draw the sheets of all products, or of those named."""
    for product in argv or products():
        target = TARGET / f"{product}.png"
        save(sheet(pages(sample_pdf(product), DPI)), target)
        print(f"{target.stat().st_size / 1024:6.0f} kB  {target}")
    return 0
