"""Lines that hold right-to-left text, in the order in which they are drawn: Unicode's bidirectional algorithm.

fpdf2's implementation of UAX #9 finds the levels; this module makes pieces of the line's words from them. A piece holds
one word in one direction, and the shaper orders its glyphs. In a left-to-right line each right-to-left part is isolated:
the number behind an Arabic name stays behind it.
"""

from dataclasses import dataclass
from itertools import groupby

from fpdf.bidi import BidiParagraph
from fpdf.enums import TextDirection

from actors.pdf.fonts.faces import Run
from actors.pdf.fonts.families import Family
from actors.pdf.style import Type
from actors.pdf.text.linebreak import Line
from actors.pdf.text.words import REMEMBERED, right_to_left_parts


@dataclass(slots=True)
class Piece:
    """A word of a line or a part of it, as a canvas draws it."""

    family: Family
    type: Type
    runs: tuple[Run, ...]
    space: float = 0.0
    plain: bytes = b""


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
    text = "".join(words)
    pieces: list[Piece] = []
    for (owner, backwards), places in groupby(_ordered(text, line.rtl), lambda one: (owners[one[0]], one[1])):
        chunk = line.chunks[owner if owner >= 0 else ~owner]
        if owner < 0:
            if pieces:
                pieces[-1].space = chunk.space
            continue
        word = "".join(text[place] for place in sorted(place for place, _ in places))
        shaped = chunk.family.runs if len(word) <= REMEMBERED else chunk.family.long_runs
        direction = "rtl" if backwards else None if word.isascii() else "ltr"
        pieces.append(Piece(chunk.family, chunk.type, shaped(word, direction)))
    return pieces


def _ordered(text: str, rtl: bool) -> list[tuple[int, bool]]:
    """The places of the characters from left to right, and whether each runs backwards."""
    ordered: list[tuple[int, bool]] = []
    for first, last in [(0, len(text))] if rtl else right_to_left_parts(text):
        ordered += [(place, False) for place in range(len(ordered), first)]
        part = BidiParagraph(text[first:last], base_direction=TextDirection.RTL, preserve_bn_chars=True)
        found = part.get_reordered_characters()
        ordered += [(first + one.character_index, one.embedding_level % 2 == 1) for one in found]
    return ordered + [(place, False) for place in range(len(ordered), len(text))]
