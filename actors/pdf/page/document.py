"""The finished file: pages of operators handed to fpdf2 with shared fonts, metadata, bookmarks, and tags.

fpdf2 (pinned) writes the objects. This module and its neighbours replace two of its inner steps. Alone, fpdf2 parses
and subsets every font for every document, and its structure tree is one flat list.
"""

import hashlib
import zlib
from codecs import BOM_UTF16_BE
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fpdf import FPDF, ViewerPreferences
from fpdf.annotations import PDFAnnotation
from fpdf.encryption import StandardSecurityHandler
from fpdf.enums import EncryptionMethod, OutputIntentSubType, PDFResourceType
from fpdf.output import CIDSystemInfo, OutputProducer, PDFCatalog, PDFFont, PDFType3Font
from fpdf.syntax import DestinationXYZ, Name, PDFArray, PDFContentStream, PDFObject, PDFString, Raw

from actors.pdf.fonts.font_file import FontFile
from actors.pdf.page.archive import PRODUCER, Metadata, colours, xmp
from actors.pdf.page.canvas import Canvas, Ink
from actors.pdf.page.structure import ARTIFACT, Structure, Tag
from actors.pdf.style import sheet
from actors.pdf.text.words import one_line

SILENT = "\u200b"  # said by glyphs that say nothing by themselves: every code must say something (PDF/A-2, 6.2.11.7.2)


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
        self.__dict__ |= metrics  # fpdf2 writes every attribute of an object into the file
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
    spelled = [(glyph, face.spelling.get(glyph, SILENT)) for glyph in sorted(glyphs) if glyph]
    spelled += [(code, text or SILENT) for (_, text), code in aliases.items()]
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


class _Lock(StandardSecurityHandler):
    """fpdf2's encryption, for texts of any characters: its Latin-1 is not what readers take bytes for."""

    def encrypt_string(self, string: str, obj_id: int) -> str:
        text = string.encode("ascii") if string.isascii() else BOM_UTF16_BE + string.encode("utf-16-be")
        return f"<{bytes(self.encrypt_bytes(text, obj_id)).hex()}>"


class _Producer(OutputProducer):
    """fpdf2's writer with the fonts of `font_file.py`."""

    def _add_fonts(self, *_: Any) -> dict[int, PDFFont | PDFType3Font]:
        document = self.fpdf
        assert isinstance(document, Document)
        ink, faces = document.ink, sorted(document.ink.faces.items())
        return {number: self._embed(face, ink.glyphs[number], ink.aliases[number]) for number, face in faces}

    def _add_catalog(self) -> PDFCatalog:
        catalog = super()._add_catalog()
        catalog.lang = PDFString(self.fpdf.lang, encrypt=True)  # readers decrypt every string; fpdf2 left this one out
        return catalog

    def _add_structure_tree(self) -> PDFObject:
        document = self.fpdf
        assert isinstance(document, Document)
        for element in document.structure.objects():
            self._add_pdf_obj(element, "structure_tree")
        return document.structure

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
    """One report's file. `page_canvas` opens a page; while it is drawn, call `bookmark`, `mark` and `jump`.

    With a `password` all of it is encrypted by AES-256, its metadata too.
    """

    def __init__(self, metadata: Metadata, password: str | None = None) -> None:
        self.sheet = sheet()
        super().__init__(unit="pt", format=(self.sheet.width, self.sheet.height))
        self.pdf_version = "1.7"
        self.ink = Ink()
        self.canvases: list[Canvas] = []
        self.structure = Structure(self.pages)
        self.allow_images_transparency = False
        self.set_auto_page_break(False)
        self.set_title(metadata.title)
        self.set_author(metadata.author)
        self.set_subject(metadata.subject)
        self.set_keywords(metadata.document_id)
        self.set_lang(metadata.language)
        self.set_xmp_metadata(xmp(metadata))
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        if password is None:
            self.add_output_intent(OutputIntentSubType.PDFA, "sRGB", dest_output_profile=colours(), info="sRGB2014")
        else:
            how = EncryptionMethod.AES_256
            self._security_handler = _Lock(self, password, password, encryption_method=how, encrypt_metadata=True)
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

    def mark(self, canvas: Canvas, tag: Tag) -> None:
        """All that is drawn until `canvas.close_mark()` belongs to the tag's element, or is not read out (ARTIFACT)."""
        if tag is ARTIFACT or canvas.muted:
            canvas.open_artifact()
        else:
            canvas.open_mark(tag.name, self.structure.mark(self.page, tag))

    def jump(self, tag: Tag, says: str, box: tuple[float, float, float, float], page: int, target: float) -> None:
        """A clickable area (left, top, width, height) that leads to `target` points below the top of `page`."""
        x, y, width, height = box
        goal = DestinationXYZ(page, top=self.sheet.height - target)
        said = one_line(says) or str(page)
        link = PDFAnnotation("Link", x, self.sheet.height - y, width, height, dest=goal, contents=said)
        self.pages[self.page].add_annotation(link)
        self.structure.link(tag, link)

    def finish(self) -> bytes:
        catalog: Any = self._resource_catalog
        for number, page in self.pages.items():
            page.struct_parents = number - 1
            page.tabs = Name("S")  # type: ignore[attr-defined]
        for number, canvas in enumerate(self.canvases, start=1):
            self.pages[number].contents = canvas.content()
            for font in canvas.fonts:
                catalog.add(PDFResourceType.FONT, font, number)
            for image in canvas.images:
                catalog.add(PDFResourceType.X_OBJECT, image, number)
        return bytes(self.output(output_producer_class=_Producer))
