"""Lines that hold right-to-left text, in the order in which they are drawn: Unicode's bidirectional algorithm.

fpdf2's implementation of UAX #9 finds the levels; this module makes pieces of the line's words from them. A piece holds
one word in one direction, and the shaper orders its glyphs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from fpdf.bidi import BidiParagraph
from fpdf.enums import TextDirection

from actors.pdf.fonts.faces import Run
from actors.pdf.fonts.families import Family
from actors.pdf.style import Type
from actors.pdf.text.linebreak import Line
from actors.pdf.text.words import REMEMBERED


@dataclass(slots=True)
class Piece:
    """A word of a line or a part of it, as a canvas draws it."""

    family: Family
    type: Type
    runs: tuple[Run, ...]
    space: float = 0.0


def in_visual_order(line: Line) -> list[Piece]:
    """The line's words, or parts of them, from left to right."""
    owners: list[int] = []  # of each character: its chunk's number, or ~number for the space after that chunk
    words: list[str] = []
    last = len(line.chunks) - 1
    for number, chunk in enumerate(line.chunks):
        words.append(chunk.text)
        owners += [number] * len(chunk.text)
        if chunk.space and number != last:
            words.append(" ")
            owners.append(~number)
    base = TextDirection.RTL if line.rtl else TextDirection.LTR
    text = "".join(words)
    found = BidiParagraph(text, base_direction=base, preserve_bn_chars=True).get_reordered_characters()
    pieces: list[Piece] = []
    for (owner, level), characters in groupby(found, lambda one: (owners[one.character_index], one.embedding_level)):
        chunk = line.chunks[owner if owner >= 0 else ~owner]
        if owner < 0:
            if pieces:
                pieces[-1].space = chunk.space
            continue
        backwards = level % 2 == 1
        word = "".join(text[place] for place in sorted(one.character_index for one in characters))
        shaped = chunk.family.runs if len(word) <= REMEMBERED else chunk.family.long_runs
        direction = "rtl" if backwards else None if word.isascii() else "ltr"
        pieces.append(Piece(chunk.family, chunk.type, shaped(word, direction)))
    return pieces
