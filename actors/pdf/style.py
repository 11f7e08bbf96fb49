"""The typographic scale: one grid, a few sizes, a restrained palette that survives a black-and-white printer.

Lengths are PDF points (1/72 inch); y grows downwards from the page's top edge. Every vertical measure is a multiple of
half a body line, so that lines of facing pages stand at the same heights.
"""

from __future__ import annotations

from dataclasses import dataclass

PAGE_WIDTH, PAGE_HEIGHT = 595.28, 841.89  # A4
GRID = 14.0  # a body line
HALF = GRID / 2
LEFT = RIGHT = 92.0
MEASURE = PAGE_WIDTH - LEFT - RIGHT
GUTTER = 22.0  # between two columns
TOP = 92.0  # top of the text block
LINES = 47
BODY_HEIGHT = LINES * GRID
BOTTOM = TOP + BODY_HEIGHT

Colour = tuple[float, float, float]


def _hex(value: str) -> Colour:
    red, green, blue = (int(value[place : place + 2], 16) / 255 for place in (0, 2, 4))
    return round(red, 3), round(green, 3), round(blue, 3)


INK = _hex("20242A")  # running text
DEEP = _hex("1D3F55")  # headings, data
ACCENT = _hex("A4532A")  # the only warm colour: rules, markers
QUIET = _hex("5E6770")  # captions, furniture
RULE = _hex("B9C0C6")
TINT = _hex("F3F1EC")  # paper-coloured grounds
PALE = _hex("D9E1E6")
WHITE: Colour = (1.0, 1.0, 1.0)
# Norm bands from low to high. Lightness alone tells them apart, for every reader's eyes and on every printer.
BANDS = tuple(_hex(value) for value in ("EEF0F1", "DDE3E7", "C8D2D9", "B1BFC9", "97A9B6", "7D93A3"))


@dataclass(frozen=True, slots=True)
class Type:
    """How a piece of text is set: families for plain, italic and bold, size and leading in points."""

    plain: str
    italic: str
    bold: str
    size: float
    leading: float
    colour: Colour = INK


def _serif(size: float, leading: float, colour: Colour = INK) -> Type:
    return Type("body", "italic", "bold", size, leading, colour)


def _sans(size: float, leading: float, colour: Colour = INK) -> Type:
    return Type("sans", "sans-italic", "sans-bold", size, leading, colour)


def _strong(size: float, leading: float, colour: Colour = DEEP) -> Type:
    return Type("sans-bold", "sans-bold", "sans-bold", size, leading, colour)


BODY = _serif(9.8, GRID)
LEAD = _serif(11.0, 1.25 * GRID)
CELL = _sans(8.2, 10.5)
CELL_STRONG = _strong(8.2, 10.5, INK)
CELL_HEAD = _strong(7.6, 10.5, DEEP)
LABEL = _sans(8.2, 10.5)
LABEL_STRONG = _strong(8.2, 10.5, INK)
SMALL = _sans(7.2, 9.0, QUIET)
CAPTION = _sans(7.8, 10.5, QUIET)
FURNITURE = _sans(7.4, 9.0, QUIET)
HEADINGS = (
    _strong(17.5, 21),
    _strong(12.4, GRID),
    Type("sans-bold", "sans-bold", "sans-bold", 9.8, GRID, INK),
)
COVER_TITLE = _strong(31, 35)
COVER_SUBTITLE = Type("italic", "italic", "bold", 14.5, 21, QUIET)
COVER_NAME = Type("body", "italic", "bold", 22, 28, INK)
COVER_LABEL = _sans(7.6, GRID, QUIET)
COVER_VALUE = _serif(10.2, GRID)
