"""Pictures in the flow: raster files of the template's folder, embedded once per document."""

from __future__ import annotations

import io
from pathlib import Path

from fpdf.image_datastructures import RasterImageInfo
from fpdf.image_parsing import preload_image

from actors.pdf.page.flow import ARTIFACT, Item, Place, Tag
from actors.pdf.product.picture import picture
from actors.pdf.style import BODY_HEIGHT, GRID, HALF
from actors.pdf.text.words import one_line


def image_item(file: Path, alternative: str, width: float, measure: float) -> Item:
    """The picture `width` points wide, centred, never taller than a page. Raises PictureError."""
    source, proportion = picture(file)
    height = width * proportion
    limit = BODY_HEIGHT - 6 * GRID
    if height > limit:
        width, height = width * limit / height, limit

    def draw(place: Place, x: float, top: float) -> None:
        _name, _data, info = preload_image(place.document.image_cache, io.BytesIO(source))
        assert isinstance(info, RasterImageInfo)
        number = info["i"]
        assert isinstance(number, int)
        place.canvas.image(number, x + (measure - width) / 2, top, width, height)

    said = one_line(alternative).strip()
    tag = Tag("Figure", alternative=said) if said else ARTIFACT
    return Item(-(-height // HALF) * HALF, draw, before=HALF, tag=tag)
