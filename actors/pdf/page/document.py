"""The finished file: pages of operators handed to fpdf2 with shared fonts, metadata, bookmarks, figures.

fpdf2 (pinned) writes the objects. This module alone touches two of its inner parts. It replaces the step that embeds
fonts, because fpdf2 would parse and subset every font for every document. It calls the step that marks figures.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from fpdf import FPDF
from fpdf.enums import PDFResourceType
from fpdf.output import CIDSystemInfo, OutputProducer, PDFFont, PDFType3Font
from fpdf.syntax import Name, PDFArray, PDFContentStream, PDFObject, Raw

from actors.pdf.fonts.font_file import FontFile
from actors.pdf.page.canvas import Canvas, Ink
from actors.pdf.style import PAGE_HEIGHT, PAGE_WIDTH
from actors.pdf.text.words import one_line

PRODUCER = "reportq"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a PDF reader shows about the document."""

    title: str
    author: str
    subject: str
    language: str
    document_id: str
    date: datetime


class _Packed(PDFContentStream):
    """A stream that was compressed before."""

    def __init__(self, packed: bytes, plain_length: int | None = None) -> None:
        super().__init__(contents=packed)
        self.filter = Name("FlateDecode")
        if plain_length is not None:
            self.length1 = plain_length


class _Descriptor(PDFObject):
    def __init__(self, name: str, file: _Packed, metrics: dict[str, int]) -> None:
        super().__init__()
        self.type = Name("FontDescriptor")
        self.font_name = Name(name)
        self.flags = 4
        self.font_b_box = Raw(f"[-1000 {metrics['descent']} 3000 {metrics['ascent']}]")
        self.ascent = metrics["ascent"]
        self.descent = metrics["descent"]
        self.cap_height = metrics["cap_height"]
        self.italic_angle = metrics["italic_angle"]
        self.stem_v = metrics["stem_v"]
        self.font_file2 = file


@dataclass(frozen=True, slots=True)
class _Embedded:
    """Everything of a font file that goes into a document for one set of glyphs."""

    file: bytes
    plain_length: int
    widths: str
    to_unicode: bytes
    tag: str


def _embedded(face: FontFile, glyphs: frozenset[int], aliases: Mapping[tuple[int, str], int]) -> _Embedded:
    file, plain_length = face.subset(glyphs)
    spelled = [(glyph, face.spelling[glyph]) for glyph in sorted(glyphs) if glyph in face.spelling]
    spelled += [(code, text) for (_, text), code in aliases.items() if text]
    widths = face.widths(glyphs, {code: glyph for (glyph, _), code in aliases.items()})
    tag = "".join(chr(65 + byte % 26) for byte in hashlib.sha256(repr(sorted(glyphs)).encode()).digest()[:6])
    return _Embedded(file, plain_length, widths, zlib.compress(_to_unicode(spelled)), tag)


@lru_cache(maxsize=32)
def _core(face: FontFile) -> _Embedded:
    return _embedded(face, face.core, {})


def _to_unicode(spelled: list[tuple[int, str]]) -> bytes:
    """The CMap that lets readers search and copy (ISO 32000-1, 9.10.3); at most 100 entries a block."""
    blocks = []
    for first in range(0, len(spelled), 100):
        part = spelled[first : first + 100]
        rows = "".join(f"<{glyph:04X}> <{text.encode('utf-16-be').hex().upper()}>\n" for glyph, text in part)
        blocks.append(f"{len(part)} beginbfchar\n{rows}endbfchar\n")
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
        f"{''.join(blocks)}endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend"
    ).encode("ascii")


class _Producer(OutputProducer):
    """fpdf2's writer with the fonts of `font_file.py`."""

    def _add_fonts(self, *_: Any) -> dict[int, PDFFont | PDFType3Font]:
        document = self.fpdf
        assert isinstance(document, Document)
        ink = document.ink
        return {
            number: self._embed(face, ink.glyphs[number], ink.aliases[number])
            for number, face in sorted(ink.faces.items())
        }

    def _embed(self, face: FontFile, extra: set[int], aliases: Mapping[tuple[int, str], int]) -> PDFFont:
        glyphs = face.core | extra
        plain = extra <= face.core and face.latin and not aliases
        made = _core(face) if plain else _embedded(face, glyphs | {0}, aliases)
        name = f"{made.tag}+{face.name}"
        file = _Packed(made.file, made.plain_length)
        self._add_pdf_obj(file, "fonts")
        descriptor = _Descriptor(name, file, face.metrics())
        self._add_pdf_obj(descriptor, "fonts")
        info = CIDSystemInfo()
        info.ordering = type(info.ordering)("Identity", encrypt=True)
        self._add_pdf_obj(info, "fonts")
        to_unicode = _Packed(made.to_unicode)
        self._add_pdf_obj(to_unicode, "fonts")
        cid: Any = PDFFont(subtype="CIDFontType2", base_font=name, d_w=1000, w=made.widths)
        cid.font_descriptor = descriptor
        cid.c_i_d_system_info = info
        cid.c_i_d_to_g_i_d_map = Name("Identity")
        if aliases:
            numbers = [*range(face.glyph_count), *(glyph for glyph, _ in aliases)]
            codes = _Packed(zlib.compress(b"".join(number.to_bytes(2, "big") for number in numbers)))
            self._add_pdf_obj(codes, "fonts")
            cid.c_i_d_to_g_i_d_map = codes
        self._add_pdf_obj(cid, "fonts")
        font = PDFFont(subtype="Type0", base_font=name, encoding="Identity-H")
        font.descendant_fonts = PDFArray([cid])
        font.to_unicode = to_unicode
        self._add_pdf_obj(font, "fonts")
        return font


class Document(FPDF):
    """One report's file. `page_canvas` opens a page; while it is drawn, call `bookmark`, `figure` and `jump`."""

    def __init__(self, metadata: Metadata) -> None:
        super().__init__(unit="pt", format=(PAGE_WIDTH, PAGE_HEIGHT))
        self.ink = Ink()
        self.canvases: list[Canvas] = []
        self._marks: dict[int, int] = {}  # elements of the structure tree on each page
        self.allow_images_transparency = False
        self.set_auto_page_break(False)
        self.set_title(one_line(metadata.title))
        self.set_author(one_line(metadata.author))
        self.set_subject(one_line(metadata.subject))
        self.set_keywords(one_line(metadata.document_id))
        self.set_lang(metadata.language)
        self.set_creator(PRODUCER)
        self.set_producer(PRODUCER)
        self.set_creation_date(metadata.date)
        self._id = hashlib.sha256(metadata.document_id.encode("utf-8", "replace")).hexdigest()[:32].upper()

    def file_id(self) -> str:
        """The same for every rendering of one document."""
        return f"<{self._id}><{self._id}>"

    def page_canvas(self) -> Canvas:
        self.add_page()
        canvas = Canvas(self.ink)
        self.canvases.append(canvas)
        return canvas

    def bookmark(self, name: str, level: int, y: float) -> None:
        """An entry of the outline pointing at `y` of the current page."""
        deepest = self._outline[-1].level + 1 if self._outline else 0
        self.y = y
        self.start_section(one_line(name), level=min(level, deepest))

    def mark(self, canvas: Canvas, name: str) -> None:
        """All that is drawn until `canvas.close_mark()` is read out as a `name` (P, H1 …), or not at all (Artifact)."""
        if name == "Artifact":
            canvas.open_artifact()
        else:
            canvas.open_mark(name, self._element(name))

    def figure(self, canvas: Canvas, title: str, alternative: str) -> None:
        """All that is drawn until `canvas.close_mark()` is one figure, described by `alternative`."""
        canvas.open_mark("Figure", self._element("Figure", title=one_line(title), alt_text=one_line(alternative)))

    def _element(self, name: str, **described: str) -> int:
        """A new element of the structure tree; its number on the page. fpdf2 would count all elements each time."""
        number = self._marks.get(self.page, 0)
        self._marks[self.page] = number + 1
        self._add_marked_content(struct_type=f"/{name}", mcid=number, **described)
        return number

    def jump(self, x: float, y: float, width: float, height: float, page: int, target: float) -> None:
        """A clickable area that leads to `target` points below the top of `page`."""
        self.link(x, y, width, height, self.add_link(page=page, y=target))

    def finish(self) -> bytes:
        catalog: Any = self._resource_catalog
        for number, canvas in enumerate(self.canvases, start=1):
            self.pages[number].contents = canvas.content()
            for font in canvas.fonts:
                catalog.add(PDFResourceType.FONT, font, number)
            for image in canvas.images:
                catalog.add(PDFResourceType.X_OBJECT, image, number)
        return bytes(self.output(output_producer_class=_Producer))
