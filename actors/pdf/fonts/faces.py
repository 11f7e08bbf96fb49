"""Words shaped in a face, as a page shows them: plain ones from advances and kerning pairs, others by HarfBuzz.

A run depends on its text alone. So it may be kept between documents, and nothing of one report shows in the next.
Its glyph numbers are those of the font file, so any page of any document can show it as it is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import uharfbuzz as hb

from actors.pdf.fonts.font_file import CORE_TEXT, SOFT_HYPHEN, FontFile

_LIGATURE = re.compile("f[fijl]")
_MISSPELT = "\u2010"  # Drawn with the hyphen's glyph, which copies as "-".
# The language in which a voice reads a script: the one that most people write in it, because a text names none.
_LANGUAGE = re.compile(
    "(?P<ar>[\u0600-\u08ff\ufb50-\ufdff\ufe70-\ufeff])|(?P<hi>[\u0900-\u097f\u1cd0-\u1cff\ua830-\ua83f\ua8e0-\ua8ff])|"
    "(?P<jv>[\ua980-\ua9df])|(?P<ban>[\u1b00-\u1b7f])|(?P<su>[\u1b80-\u1bbf\u1cc0-\u1ccf])|"
    "(?P<ko>[\u1100-\u11ff\uac00-\ud7af])|(?P<ja>[\u3040-\u30ff])|(?P<zh>[\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
)


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of text shaped in one face: what a page needs to show it. Widths in 1/1000 em."""

    face: Face
    text: str
    width: int
    shows: tuple[tuple[int, bytes], ...]  # (rise in 1/1000 em, inside of a TJ array)
    glyphs: frozenset[int]
    core: bool  # All its glyphs belong to the core subset.
    actual: bool  # The glyphs do not spell the text: copying needs /ActualText.
    placed: tuple[Placed, ...] = ()  # Right-to-left glyphs that do not spell the text; they replace `shows`.
    language: bytes = b""  # The script's language, when the script is not Latin.
    missing: str = ""  # Characters that no face has; their numbers are shown.

    @property
    def plain(self) -> bytes:
        """The inside of a TJ array, when it is all that a page needs besides the face; or nothing."""
        if self.actual or self.placed or self.language or self.missing or not self.core or self.face.zoom != 1.0:
            return b""
        return self.shows[0][1] if len(self.shows) == 1 else b""


@dataclass(frozen=True, slots=True)
class Placed:
    """A glyph of a right-to-left run, from the left: where it stands (1/1000 em) and what it says.

    Each says one character at most, because readers turn characters round one by one. Empty glyphs without width, at
    its left, say the rest: a ligature's other letters, a letter's marks. Marks say nothing themselves. They are drawn
    after the letters, so that a reader of the file meets whole words on one line.
    """

    glyph: int
    x: int
    rise: int
    text: str


class Face(FontFile):
    """A font file as pages use it: its number there, its size, and the text shaped in it."""

    def __init__(
        self, path: Path, number: int, *, latin: bool = False, quick: bool = True, zoom: float = 1.0, below: float = 0.0
    ) -> None:
        super().__init__(path, latin=latin)
        self._quick = quick  # Its plain words need only advances and kerned pairs, no HarfBuzz.
        self.number = number  # Its name is /F<number> on every page.
        self.zoom = zoom  # A script that reaches far below the line is set smaller.
        self.below = below  # How much taller its lines are, as a share of the size.
        self._kern = cache(self._kern_of)

    @cached_property
    def _simple(self) -> dict[str, tuple[str, int]]:
        """Glyph (hexadecimal) and advance of the characters that need no shaping but kerning."""
        if not (self.latin and self._quick):
            return {}
        simple = {}
        for char in CORE_TEXT:
            infos, positions = self._shape(char, "ltr")
            if len(infos) == 1:
                simple[char] = f"{infos[0].codepoint:04X}", round(positions[0].x_advance * self.scale)
        simple[SOFT_HYPHEN] = f"{self.soft_hyphen:04X}", simple["-"][1]
        return simple

    def _kern_of(self, pair: str) -> int:
        """What HarfBuzz adds between two simple characters; `_kern` asks once for each pair."""
        _, positions = self._shape(pair.replace(SOFT_HYPHEN, "-"), "ltr")
        apart = self._simple[pair[0]][1] + self._simple[pair[1]][1]
        together: int = round(sum(position.x_advance for position in positions) * self.scale)
        return together - apart

    def _simply_shaped(self, text: str) -> Run | None:
        """The run of a plain Latin word from advances and kerning pairs, or None when it needs HarfBuzz."""
        simple = self._simple
        if _LIGATURE.search(text) or not all(char in simple for char in text):
            return None
        parts, width = ["<"], 0
        previous = ""
        for char in text:
            glyph, advance = simple[char]
            if previous:
                kern = self._kern(previous + char)
                if kern:
                    parts.append(f">{-kern}<")
                    width += kern
            parts.append(glyph)
            width += advance
            previous = char
        parts.append(">")
        return Run(self, text, width, ((0, "".join(parts).encode()),), self.core, True, _MISSPELT in text)

    def divided(self, text: str, places: tuple[int, ...]) -> tuple[tuple[int, int, int], ...] | None:
        """(place, width of head and hyphen, width of tail) for each place; None when the word needs HarfBuzz."""
        simple = self._simple
        if _LIGATURE.search(text) or not all(char in simple for char in text):
            return None
        lengths, length, previous = [0], 0, ""
        for char in text:
            length += simple[char][1] + (self._kern(previous + char) if previous else 0)
            lengths.append(length)
            previous = char
        hyphen = simple["-"][1]
        return tuple(
            (
                place,
                lengths[place] + self._kern(text[place - 1] + "-") + hyphen,
                length - lengths[place] - self._kern(text[place - 1 : place + 1]),
            )
            for place in places
        )

    def shape(self, text: str, direction: str | None = None) -> Run:
        """The run for `text`, all of whose characters this face covers; without a direction it has its script's."""
        if self.latin and direction is None and (simple := self._simply_shaped(text)):
            return simple
        divided = text.endswith(SOFT_HYPHEN)
        infos, positions = self._shape(f"{text[:-1]}-" if divided else text, direction)
        scale, advance_of = self.scale, self._font.get_glyph_h_advance
        shows: list[tuple[int, bytes]] = []
        current, rise, width, pending = b"", 0, 0, 0
        hexed = ""
        spelled = []
        for info, position in zip(infos, positions, strict=True):
            glyph = self.soft_hyphen if divided and info.cluster == len(text) - 1 else info.codepoint
            spelled.append(self.spelling.get(glyph, ""))
            x_offset, y_offset = round(position.x_offset * scale), round(position.y_offset * scale)
            if y_offset != rise:
                current += _close(hexed, pending)
                hexed, pending = "", 0
                if current:
                    shows.append((rise, current))
                current, rise = b"", y_offset
            adjust = pending + x_offset
            if adjust:
                current += _close(hexed, adjust)
                hexed = ""
            hexed += f"{glyph:04X}"
            natural = round(advance_of(glyph) * scale)
            moved = round(position.x_advance * scale)
            pending = moved - natural - x_offset
            width += moved
        current += _close(hexed, pending)
        shows.append((rise, current))
        glyphs = frozenset([info.codepoint for info in infos] + [self.soft_hyphen] * divided)
        backwards = bool(infos) and infos[0].cluster > infos[-1].cluster
        # Readers turn right-to-left glyphs round by themselves. They would turn an /ActualText round as well.
        plain = "".join(reversed(spelled) if backwards else spelled) == text and (len(shows) == 1 or not backwards)
        placed = self._placed(text, infos, positions) if backwards and not plain else ()
        actual = not backwards and not plain
        width = round(width * self.zoom)
        return Run(self, text, width, tuple(shows), glyphs, glyphs <= self.core, actual, placed, self._language(text))

    def _language(self, text: str) -> bytes:
        found = None if self.latin else _LANGUAGE.search(text)
        return found.lastgroup.encode() if found and found.lastgroup else b""

    def _placed(
        self, text: str, infos: Sequence[hb.GlyphInfo], positions: Sequence[hb.GlyphPosition]
    ) -> tuple[Placed, ...]:
        """The glyphs of a right-to-left run, the letters before the marks."""
        empty: int | None = self._font.get_nominal_glyph(0x200C)
        letters: list[Placed] = []
        marks: list[Placed] = []
        scale, x = self.scale, 0
        spoken = {info.cluster for info, position in zip(infos, positions, strict=True) if position.x_advance}
        starts = [*sorted({0, *spoken}), len(text)]
        for info, position in zip(infos, positions, strict=True):
            at, rise = x + round(position.x_offset * scale), round(position.y_offset * scale)
            x += round(position.x_advance * scale)
            if position.x_advance and info.cluster in spoken:
                spoken.discard(info.cluster)  # a second glyph of the same letters says nothing
                said = text[info.cluster : starts[bisect_right(starts, info.cluster)]]
                if empty is not None and not self.advance(empty):
                    letters += [Placed(empty, at, 0, char) for char in reversed(said[1:])]
                    said = said[:1]
                letters.append(Placed(info.codepoint, at, rise, said))
            else:
                marks.append(Placed(info.codepoint, at, rise, ""))
        return (*letters, *marks)

    @cached_property
    def space(self) -> int:
        """Width of a word space, 1/1000 em."""
        return self.shape(" ").width

    @cached_property
    def space_hex(self) -> bytes:
        return self.shape(" ").shows[0][1]


def _close(hexed: str, adjust: int) -> bytes:
    """A string of glyphs and the adjustment that follows it (PDF subtracts)."""
    text = f"<{hexed}>" if hexed else ""
    return (text + (str(-adjust) if adjust else "")).encode()
