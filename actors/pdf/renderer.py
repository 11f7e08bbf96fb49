"""The renderer: a request in, the bytes of a PDF out. No clock, no network; it remembers only templates.

The same request gives the same bytes, unless it has a password: encryption begins with chance.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import structs

from actors.pdf.compose import Composer
from actors.pdf.drawing.front import draw_watermark, furniture, watermark_of
from actors.pdf.fonts.families import FontError, families_in, scripts_of, setting_in
from actors.pdf.page.archive import Metadata
from actors.pdf.page.document import Document
from actors.pdf.page.flow import Place, cut_short, draw, paginated
from actors.pdf.product.template import Template
from actors.pdf.product.templates import TEMPLATES as TEMPLATES
from actors.pdf.product.templates import Templates
from actors.pdf.product.wording import TIME_ZONE, speaking
from actors.pdf.style import looking, sheet
from actors.pdf.text.words import one_line
from schema.ports import RenderRequest

COMPOSED, DRAWN = 60, 95  # per cent of the work after composing the blocks and after drawing the pages


class PdfRenderer(Templates):
    """Draws reports. Days are those of `time_zone`, unless the template names another.

    Where a character has no font, the report shows its number, [U+738B], and `missing` gets the id and the scripts. The
    callback `cut_short` gets the id, and the numbers of pages that a `page_break` leaves nearly empty. Raises Permanent
    as `Templates` does, and with code invalid_data.
    """

    def __init__(
        self,
        template_dirs: Sequence[Path] = (),
        missing: Callable[[str, Sequence[str]], None] = lambda document_id, scripts: None,
        unfounded: Callable[[str, Sequence[str]], None] = lambda product_id, claims: None,
        time_zone: str = TIME_ZONE,
        cut_short: Callable[[str, Sequence[int]], None] = lambda document_id, pages: None,
    ) -> None:
        super().__init__(template_dirs, unfounded)
        self._missing = missing
        self._cut_short = cut_short
        self._zone = ZoneInfo(time_zone)

    def render(self, request: RenderRequest, progress: Callable[[int], None] = lambda percent: None) -> bytes:
        """The PDF of one report. An exception from `progress` ends the drawing and reaches the caller."""
        template = self.template(request.product_id)
        page, colours = template.layout.page, structs.asdict(template.layout.colours)
        own = {role: colour for role, colour in colours.items() if colour}
        try:
            fonts = families_in(template.fonts)
        except FontError as error:
            raise template.invalid(("fonts", error.style), str(error)) from error
        spoken = speaking(template.layout.language, template.zone or self._zone)
        with spoken, setting_in(fonts), looking(page.size, page.orientation, own):
            return self._drawn(template, request, progress)

    def _drawn(self, template: Template, request: RenderRequest, progress: Callable[[int], None]) -> bytes:
        data = template.checked(request.report)
        composer = Composer(template, data, lambda done: progress(round(done * COMPOSED)))
        pages = paginated(composer.items())
        if sparse := cut_short(pages):
            self._cut_short(request.document_id, sparse)
        mark, identity = "", one_line(request.document_id)
        if request.preview:
            mark, identity = f"{watermark_of(template.layout.language)} ", f"preview {identity}"
        document = Document(
            Metadata(
                title=f"{mark}{composer.plain('title')}".strip() or identity,
                author=composer.plain("author"),
                subject=composer.plain("subject"),
                language=template.layout.language,
                document_id=identity,
                date=request.requested_at,
                conforms=not request.preview and request.password is None,
                template=f"{template.product} {template.version}",
            ),
            request.password,
        )
        header, footer = composer.marked("header"), composer.marked("footer")
        draw_furniture = furniture(header, request.document_id, footer, composer.logo())
        left, top = sheet().left, sheet().top
        found = {
            heading: (number, top + y + below)
            for number, page in enumerate(pages, start=1)
            for y, item in page.placed
            for heading, below in item.headings
        }
        for number, page in enumerate(pages, start=1):
            place = Place(document, document.page_canvas(), number, len(pages), found)
            if not page.bare:
                draw_furniture(place)
            draw(page.placed, place, left, top)
            if mark:
                draw_watermark(place, mark)
            progress(COMPOSED + round((DRAWN - COMPOSED) * number / len(pages)))
        made = document.finish()
        if document.ink.missing:
            self._missing(request.document_id, scripts_of(document.ink.missing))
        progress(100)
        return made
