"""Font files, read once for every document of the process: what they cover and spell, and what of them a PDF embeds.

What is kept here between documents is fixed: nothing of one report can show in the next.
"""

import re
import unicodedata
import zlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import uharfbuzz as hb

FONTS = Path(__file__).parent
# Every Latin face always embeds these, compressed once per process; a document that needs more pays for a subset.
CORE_TEXT = "".join(map(chr, range(0x20, 0x7F))) + "éèêëáàâäóòôöúùûüíìîïñçÉ×·°±–—‘’“”„…•‹›«»−≤≥→½§©\u00a0\u2010"
SOFT_HYPHEN = "\u00ad"  # at a line's end; a reader that copies joins the word again (ISO 32000-1, 14.8.2.2.3)
_NEEDED = "".join(map(chr, range(0x20, 0x7F)))
_RESTRICTED, _BITMAP_ONLY = 0x0002, 0x0200  # OpenType, OS/2: fsType
_LIGATURES = ("fi", "fl", "ff", "ffi", "ffl")
_FLAGS = hb.SubsetFlags
_SUBSET_FLAGS = _FLAGS.RETAIN_GIDS | _FLAGS.NO_HINTING | _FLAGS.NO_LAYOUT_CLOSURE | _FLAGS.NOTDEF_OUTLINE
_UNUSED_TABLES = ("GSUB", "GPOS", "GDEF", "name", "OS/2", "post", "cmap", "DSIG", "gasp", "STAT", "meta", "prep")


class FontFile:
    """HarfBuzz's view of one font file, and what PDF needs to know about it."""

    def __init__(self, path: Path, *, latin: bool) -> None:
        self.path = path
        self.name = re.sub("[^A-Za-z0-9]", "", path.stem) or "Font"
        self.latin = latin
        self._face = hb.Face(hb.Blob.from_file_path(str(path)))
        self._font = hb.Font(self._face)
        self.scale: float = 1000 / self._face.upem
        self.glyph_count: int = self._face.glyph_count
        self.coverage = frozenset(self._face.unicodes)

    @cached_property
    def spelling(self) -> dict[int, str]:
        """What each glyph says when a reader copies text: the lowest character that maps to it, or its ligature."""
        spelled: dict[int, str] = {}
        for code in sorted(self.coverage):
            glyph = self._font.get_nominal_glyph(code)
            if glyph is not None and not 0xFB00 <= code <= 0xFB04:  # ligatures are spelled out below
                spelled.setdefault(glyph, _base_letters(code))
        if self.latin:
            for ligature in _LIGATURES:
                infos, _ = self._shape(ligature, "ltr")
                if len(infos) == 1:
                    spelled.setdefault(infos[0].codepoint, ligature)
        return spelled

    @cached_property
    def core(self) -> frozenset[int]:
        if not self.latin:
            return frozenset()
        glyphs = {0}
        for text in (*CORE_TEXT, *_LIGATURES):
            infos, _ = self._shape(text, "ltr")
            glyphs.update(info.codepoint for info in infos)
        return frozenset({*glyphs, self.soft_hyphen})

    @cached_property
    def soft_hyphen(self) -> int:
        """The glyph of a divided word's hyphen. HarfBuzz would hide it."""
        found: int | None = self._font.get_nominal_glyph(ord(SOFT_HYPHEN))
        return found or 0

    def _shape(self, text: str, direction: str | None) -> tuple[list[hb.GlyphInfo], list[hb.GlyphPosition]]:
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.cluster_level = hb.BufferClusterLevel.MONOTONE_CHARACTERS
        if direction:
            buffer.direction = direction
        hb.shape(self._font, buffer, {"kern": True, "liga": True})
        return buffer.glyph_infos, buffer.glyph_positions

    def subset(self, glyphs: frozenset[int]) -> tuple[bytes, int]:
        """The zlib-compressed font file with only `glyphs`, and its plain length."""
        wanted = hb.SubsetInput()
        wanted.flags = _SUBSET_FLAGS
        wanted.sets(hb.SubsetInputSets.GLYPH_INDEX).set(glyphs)
        unused = (int.from_bytes(tag.ljust(4).encode(), "big") for tag in _UNUSED_TABLES)
        wanted.sets(hb.SubsetInputSets.DROP_TABLE_TAG).update(unused)
        made = hb.subset(self._face, wanted)
        plain = bytes(made.blob.data)
        return zlib.compress(plain, 6), len(plain)

    def advance(self, glyph: int) -> int:
        """A glyph's natural width, 1/1000 em."""
        natural: int = self._font.get_glyph_h_advance(glyph)
        return round(natural * self.scale)

    def widths(self, glyphs: frozenset[int], aliases: Mapping[int, int]) -> str:
        """The /W array of the glyphs and of their other codes (code → glyph), 1/1000 em."""
        parts: list[str] = []
        previous = -2
        for code in sorted({*glyphs, *aliases}):
            if code != previous + 1:
                parts.append(f"{']' if parts else ''} {code} [")
            parts.append(f" {self.advance(aliases.get(code, code))}")
            previous = code
        return f"[{''.join(parts)}]]"

    def metrics(self) -> dict[str, int]:
        """Ascent, descent, cap height and slant for the font descriptor, in 1/1000 em and degrees."""
        extents = self._font.get_font_extents("ltr")
        cap = self._font.get_metric_position_with_fallback(hb.OTMetricsTag.CAP_HEIGHT)
        return {
            "ascent": round(extents.ascender * self.scale),
            "descent": round(extents.descender * self.scale),
            "cap_height": round(cap * self.scale),
            "italic_angle": -12 if "Italic" in self.name else 0,
            "stem_v": 140 if "Bold" in self.name else 85,
        }


def unusable(path: Path) -> str:
    """Why reports cannot be set in a font file; empty when they can."""
    content = path.read_bytes()
    tables = [content[at : at + 16] for at in range(12, 12 + 16 * int.from_bytes(content[4:6], "big"), 16)]
    ends = [int.from_bytes(table[8:12], "big") + int.from_bytes(table[12:16], "big") for table in tables]
    face = hb.Face(hb.Blob(content))
    if "glyf" not in face.table_tags or max(ends) > len(content):
        return "is no TrueType font (.ttf), or not all of one"
    if face.has_var_data:
        return "is a variable font: take the static file of each style"
    if not {*map(ord, _NEEDED)} <= {*face.unicodes}:
        return "lacks letters, figures or signs of ASCII"
    rights = int.from_bytes(face.reference_table("OS/2").data[8:10], "big")
    if rights & 0xF == _RESTRICTED or rights & _BITMAP_ONLY:
        return "may not be embedded, by its own word (fsType)"
    return ""


def _base_letters(code: int) -> str:
    """What a character says; Arabic presentation forms say the letters that they stand for."""
    char = chr(code)
    return unicodedata.normalize("NFKC", char) if 0xFB50 <= code <= 0xFEFC else char
