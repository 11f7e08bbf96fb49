"""The renderer: a request in, the bytes of a PDF out. No clock, no chance, no network; it remembers only templates."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from actors.pdf.compose import Composer
from actors.pdf.fonts.families import scripts_of
from actors.pdf.front import furniture
from actors.pdf.page.archive import Metadata
from actors.pdf.page.document import Document
from actors.pdf.page.flow import Place, draw, paginated
from actors.pdf.product.template import NAME, Template
from actors.pdf.style import TOP
from schema.errors import Permanent
from schema.ports import RenderRequest

TEMPLATES = Path(__file__).parent / "templates"
COMPOSED, DRAWN = 60, 95  # per cent of the work after composing the blocks and after drawing the pages


class PdfRenderer:
    """Draws reports from the templates of `template_dirs`, and then from those that ship here.

    Where a character has no font, the report shows its number, [U+738B]; `missing` is told the id and the scripts.

    Raises Permanent with code template_not_found, template_invalid or invalid_data.
    """

    def __init__(
        self,
        template_dirs: Sequence[Path] = (),
        missing: Callable[[str, Sequence[str]], None] = lambda document_id, scripts: None,
    ) -> None:
        self._missing = missing
        self._folders = (*template_dirs, TEMPLATES)
        self._read: dict[Path, tuple[tuple[int, ...], Template]] = {}
        self._reading = threading.Lock()

    def products(self) -> Sequence[str]:
        """The names of all products that can be drawn, sorted."""
        return sorted(
            {
                path.parent.name
                for folder in self._folders
                for path in folder.glob("*/template.yaml")
                if NAME.fullmatch(path.parent.name)
            }
        )

    def template(self, product_id: str) -> Template:
        """The product's template, read again when a file of its folder has changed."""
        for folder in self._folders if NAME.fullmatch(product_id) else ():
            home = folder / product_id
            if not (home / "template.yaml").is_file():
                continue
            stamp = tuple(
                entry.stat().st_mtime_ns for entry in sorted(home.iterdir()) if entry.suffix in (".yaml", ".json")
            )
            with self._reading:
                kept = self._read.get(home)
                if kept is None or kept[0] != stamp:
                    kept = self._read[home] = (stamp, Template(home))
            return kept[1]
        known = ", ".join(self.products())
        raise Permanent(
            f"There is no template for product {product_id[:100]!r}. Known products: {known}.",
            code="template_not_found",
            product_id=product_id[:100],
        )

    def render(self, request: RenderRequest, progress: Callable[[int], None] = lambda percent: None) -> bytes:
        """The PDF of one report. An exception from `progress` ends the drawing and reaches the caller."""
        template = self.template(request.product_id)
        data = template.checked(request.report)
        composer = Composer(template, data, lambda done: progress(round(done * COMPOSED)))
        pages = paginated(composer.items())
        document = Document(
            Metadata(
                title=composer.plain("title"),
                author=composer.plain("author"),
                subject=composer.plain("subject"),
                language=template.layout.language,
                document_id=request.document_id,
                date=request.requested_at,
            )
        )
        draw_furniture = furniture(composer.header(), request.document_id)
        found = {
            heading: (number, TOP + y + below)
            for number, page in enumerate(pages, start=1)
            for y, item in page.placed
            for heading, below in item.headings
        }
        for number, page in enumerate(pages, start=1):
            place = Place(document, document.page_canvas(), number, len(pages), found)
            if not page.bare:
                draw_furniture(place)
            draw(page.placed, place)
            progress(COMPOSED + round((DRAWN - COMPOSED) * number / len(pages)))
        made = document.finish()
        if document.ink.missing:
            self._missing(request.document_id, scripts_of(document.ink.missing))
        progress(100)
        return made
