"""Every page of the three samples looks as it did when somebody last looked at it.

The references are small grey pictures under tests/unit/pdf/pages. After a wanted change:
`python -m tests.unit.pdf.test_reference_pages` draws them anew; look at them before committing.
A page may differ by what another poppler or zlib makes of it, not by a moved line.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from ops.authoring.raster import pages, save
from ops.authoring.sheets import products, sample_pdf

FOLDER = Path(__file__).parent / "pages"
DPI = 48
TOLERATED = 0.35  # mean difference of the grey values, of 255: antialiasing, not a moved word
TOLERATED_AREA = 0.004  # share of pixels that differ by more than a quarter


@lru_cache(maxsize=4)
def drawn(product: str) -> tuple[Image.Image, ...]:
    return tuple(picture.convert("L") for picture in pages(sample_pdf(product), DPI, grey=True))


def difference(first: Image.Image, second: Image.Image) -> tuple[float, float]:
    """Mean grey difference, and the share of pixels that differ clearly."""
    if first.size != second.size:
        return 255.0, 1.0
    changed = ImageChops.difference(first, second)
    clearly = sum(changed.histogram()[64:]) / (first.width * first.height)
    return ImageStat.Stat(changed).mean[0], clearly


REFERENCES = sorted(FOLDER.glob("*.png"))


def test_there_is_a_reference_for_every_page() -> None:
    expected = {f"{product}-{page}.png" for product in products() for page in range(1, len(drawn(product)) + 1)}
    assert {path.name for path in REFERENCES} == expected


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda path: path.stem)
def test_a_page_looks_like_its_reference(reference: Path) -> None:
    product, page = reference.stem.rsplit("-", 1)
    with Image.open(reference) as kept:
        mean, area = difference(kept.convert("L"), drawn(product)[int(page) - 1])
    assert mean < TOLERATED, f"{reference.name} differs by {mean:.2f} grey values"
    assert area < TOLERATED_AREA, f"{area:.2%} of {reference.name} differ"


def test_a_line_moved_by_a_point_would_be_noticed() -> None:
    """The comparison can fail: the same page a pixel lower is another page."""
    page = drawn("minatBakatUmum")[2]
    mean, area = difference(page, ImageChops.offset(page, 0, 1))
    assert mean > TOLERATED
    assert area > TOLERATED_AREA


if __name__ == "__main__":
    for path in REFERENCES:
        path.unlink()
    for name in products():
        for number, picture in enumerate(drawn(name), start=1):
            save(picture, FOLDER / f"{name}-{number}.png")
