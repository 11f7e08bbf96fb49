"""The typographic scale: one grid, a few sizes, a restrained palette that survives a black-and-white printer.

Lengths are PDF points (1/72 inch); y grows downwards from the page's top edge. Every vertical measure is a multiple of
half a body line, so that lines of facing pages stand at the same heights. The function `looking` sets sheet and brand
colours for one rendering and its thread. Without it a page is an upright A4 in the house's colours.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

GRID = 14.0  # a body line
HALF = GRID / 2
GUTTER = 22.0  # between two columns
READABLE = 470.0  # running text is set no wider, however wide the page is


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page with its margins; the text block is `measure` wide and `body` high."""

    width: float
    height: float
    left: float  # and right
    top: float  # of the text block
    lines: int  # of the text block
    band: int  # lines of the grid: the dark upper part of a cover

    @property
    def measure(self) -> float:
        return self.width - self.left - self.left

    @property
    def body(self) -> float:
        return self.lines * GRID

    @property
    def bottom(self) -> float:
        return self.top + self.body

    @property
    def low(self) -> bool:
        """Too low for a cover and charts of the usual height."""
        return self.lines < 24

    @property
    def narrow(self) -> bool:
        """Too narrow for two columns."""
        return self.measure < 330


A4 = Sheet(595.28, 841.89, 92.0, 92.0, 47, 27)
SHEETS = {
    ("A4", "portrait"): A4,
    ("A4", "landscape"): Sheet(841.89, 595.28, 92.0, 76.0, 31, 19),
    ("Letter", "portrait"): Sheet(612.0, 792.0, 92.0, 88.0, 44, 25),
    ("Letter", "landscape"): Sheet(792.0, 612.0, 92.0, 78.0, 32, 19),
    ("A5", "portrait"): Sheet(419.53, 595.28, 50.0, 70.0, 32, 20),
    ("A5", "landscape"): Sheet(595.28, 419.53, 64.0, 64.0, 20, 13),
}

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


ROLES = {"primary": DEEP, "accent": ACCENT, "ground": TINT}  # what a brand calls the colours that it may replace


@dataclass(frozen=True, slots=True)
class Look:
    """What all pages of a document share."""

    sheet: Sheet = A4
    colours: Mapping[Colour, Colour] = field(default_factory=dict)  # the house's colour → what is drawn in its place


_USUAL = Look()
_look: ContextVar[Look] = ContextVar("look", default=_USUAL)


def look() -> Look:
    """The look of the document that is drawn now."""
    return _look.get()


def sheet() -> Sheet:
    """The page that is drawn on now."""
    return _look.get().sheet


@contextmanager
def looking(size: str, orientation: str, colours: Mapping[str, str]) -> Iterator[None]:
    """Draw on a sheet of `SHEETS`, with colours for some of the `ROLES` (as #RRGGBB), until the block ends."""
    own = {ROLES[role]: _hex(colour[1:]) for role, colour in colours.items()}
    token = _look.set(Look(SHEETS[size, orientation], own))
    try:
        yield
    finally:
        _look.reset(token)


@dataclass(frozen=True, slots=True)
class Type:
    """How a piece of text is set: families for plain, italic and bold, size and leading in points."""

    plain: str
    italic: str
    bold: str
    size: float
    leading: float
    colour: Colour = INK


_serif = partial(Type, "body", "italic", "bold")
_sans = partial(Type, "sans", "sans-italic", "sans-bold")
_strong = partial(Type, "sans-bold", "sans-bold", "sans-bold", colour=DEEP)

BODY = _serif(9.8, GRID)
LEAD = _serif(11.0, 1.25 * GRID)
CELL = _sans(8.2, 10.5)
CELL_STRONG = _strong(8.2, 10.5, colour=INK)
CELL_HEAD = _strong(7.6, 10.5)
LABEL = _sans(8.2, 10.5)
LABEL_STRONG = _strong(8.2, 10.5, colour=INK)
SMALL = _sans(7.2, 9.0, QUIET)
CAPTION = _sans(7.8, 10.5, QUIET)
FURNITURE = _sans(7.4, 9.0, QUIET)
HEADINGS = (_strong(17.5, 21), _strong(12.4, GRID), _strong(9.8, GRID, colour=INK))
COVER_TITLE = _strong(31, 35, colour=WHITE)
COVER_SUBTITLE = Type("italic", "italic", "bold", 14.5, 21, TINT)
COVER_NAME = _serif(22, 28)
COVER_LABEL = _sans(7.6, GRID, QUIET)
COVER_VALUE = _serif(10.2, GRID)
