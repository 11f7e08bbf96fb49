"""Pictures as they are drawn: raster files of a template's folder or of a report, embedded once per document."""

import io
from dataclasses import dataclass

from fpdf.image_datastructures import RasterImageInfo
from fpdf.image_parsing import preload_image

from actors.pdf.page.flow import ARTIFACT, Item, Place, Tag
from actors.pdf.style import GRID, HALF, sheet
from actors.pdf.text.words import one_line, unmarked


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture that can be drawn: its bytes as they are embedded, and what is said in its place."""

    source: bytes
    proportion: float  # height divided by width
    alternative: str  # without one it is decoration, and not read out

    def within(self, width: float, height: float) -> tuple[float, float]:
        """Its width and height when it fills a box as far as it can."""
        wide = min(width, height / self.proportion)
        return wide, wide * self.proportion

    def tag(self) -> Tag:
        return figure_tag(self.alternative)

    def put(self, place: Place, x: float, top: float, width: float, height: float) -> None:
        """Draw it; the caller opens its tag."""
        _name, _data, info = preload_image(place.document.image_cache, io.BytesIO(self.source))
        assert isinstance(info, RasterImageInfo)
        number = info["i"]
        assert isinstance(number, int)
        place.canvas.image(number, x, top, width, height)


def figure_tag(alternative: str) -> Tag:
    """A new figure with what is said in its place, a marked-up text; without one it is decoration."""
    said = one_line(unmarked(alternative)).strip()
    return Tag("Figure", alternative=said) if said else ARTIFACT


def image_item(drawing: Drawing, width: float, measure: float) -> Item:
    """The picture `width` points wide, centred, never taller than a page."""
    width, height = drawing.within(width, sheet().body - 6 * GRID)

    def draw(place: Place, x: float, top: float) -> None:
        drawing.put(place, x + (measure - width) / 2, top, width, height)

    return Item(-(-height // HALF) * HALF, draw, before=HALF, tag=drawing.tag())
