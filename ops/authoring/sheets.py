"""Contact sheets: every page of the shipped samples, side by side; each product in colour, and as a grey printer has it.

`python -m ops.authoring sheets [--into FOLDER] [--dpi N] [PRODUCT …]`
"""

import argparse
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
    mode = pictures[0].mode
    grey = 150 if mode == "L" else (150, 150, 150)
    edged = [ImageOps.expand(picture, 3, grey) for picture in pictures]
    width, height = edged[0].size
    rows = -(-len(edged) // ROW)
    whole = Image.new(mode, (width * min(ROW, len(edged)), height * rows), grey)
    for place, picture in enumerate(edged):
        whole.paste(picture, (place % ROW * width, place // ROW * height))
    return whole


def main(argv: list[str]) -> int:
    """Draw the sheets of all products, or of those named."""
    parser = argparse.ArgumentParser(prog="python -m ops.authoring sheets", description=__doc__)
    parser.add_argument("products", nargs="*", default=products())
    parser.add_argument("--into", type=Path, default=TARGET)
    parser.add_argument("--dpi", type=int, default=DPI)
    options = parser.parse_args(argv)
    for product in options.products:
        for grey, name in ((False, product), (True, f"{product}-grey")):
            target = options.into / f"{name}.png"
            save(sheet(pages(sample_pdf(product), options.dpi, grey=grey)), target)
            print(f"{target.stat().st_size / 1024:6.0f} kB  {target}")
    return 0
