"""One page's drawing operators, in points, y downwards. Colours, fonts and widths are set only when they change.

Text goes out as hexadecimal glyph numbers: no character of a report can ever become an operator.
"""

import math
from collections.abc import Iterable, Sequence

from actors.pdf.fonts.faces import Face, Placed, Run
from actors.pdf.fonts.families import Family
from actors.pdf.fonts.font_file import SOFT_HYPHEN
from actors.pdf.style import Colour, look
from actors.pdf.text.bidi import Piece, in_visual_order
from actors.pdf.text.linebreak import Line
from actors.pdf.text.words import Chunk

Point = tuple[float, float]
Paint = Colour | None
_CIRCLE = 0.5522847498


class Ink:
    """The faces a document uses and the glyphs it needs beyond their core subsets."""

    def __init__(self) -> None:
        self.faces: dict[int, Face] = {}
        self.glyphs: dict[int, set[int]] = {}
        self.missing: set[str] = set()  # characters that no face had
        self.aliases: dict[int, dict[tuple[int, str], int]] = {}  # face → (glyph, what it says here) → code

    def code(self, face: Face, placed: Placed) -> int:
        """The code that shows a glyph and says its text: the glyph's own number, or one beyond all glyphs."""
        if face.spelling.get(placed.glyph) == placed.text:
            return placed.glyph
        known = self.aliases[face.number]
        return known.setdefault((placed.glyph, placed.text), face.glyph_count + len(known))

    def use(self, run: Run) -> None:
        number = run.face.number
        if number not in self.faces:
            self.faces[number] = run.face
            self.glyphs[number] = set()
            self.aliases[number] = {}
        if not run.core:
            self.glyphs[number] |= run.glyphs


class Canvas:
    """The content stream of one page."""

    def __init__(self, ink: Ink) -> None:
        self.ink = ink
        self.height = look().sheet.height
        self._colours = look().colours
        self.out: list[bytes] = []
        self.fonts: set[int] = set()
        self.images: set[int] = set()
        self.muted = False  # whatever is drawn now was read out before: a table's head on its second page
        self._fill: Colour | None = None
        self._stroke: Colour | None = None
        self._width = -1.0
        self._font: tuple[int, float] | None = None

    def content(self) -> bytearray:
        return bytearray(b"\n".join(self.out))

    # -- text ---------------------------------------------------------------------------------------------

    def line(self, x: float, baseline: float, line: Line) -> None:
        """Draw a line of chunks from `x`."""
        if not line.chunks:
            return
        chunks: Sequence[Chunk | Piece] = line.chunks
        ends_with_space = not line.chunks[-1].text.endswith(("-", SOFT_HYPHEN))
        if any(chunk.rtl for chunk in line.chunks):
            chunks = in_visual_order(line)
            ends_with_space = ends_with_space and not line.rtl
        parts: list[bytes] = [b"BT 1 0 0 1 %.2f %.2f Tm" % (x, self.height - baseline)]
        shown: list[bytes] = []
        gap: list[bytes] = []  # what moves on to the next word while family and type stay the same
        last = len(chunks) - 1
        type_ = family = None
        for place, chunk in enumerate(chunks):
            if chunk.plain and chunk.type is type_ and chunk.family is family:
                shown.append(chunk.plain)
            else:
                self._word(parts, shown, chunk)
                type_ = family = None
            # Where a word ends a line, a space follows: without it a screen reader joins the word to the next line.
            if chunk.space if place != last else ends_with_space:
                if chunk.type is not type_ or chunk.family is not family:
                    type_, family = chunk.type, chunk.family
                    self._main_font(parts, shown, family, type_.size)
                    extra = line.stretch * 1000 / type_.size
                    gap = [family.main.space_hex, b"%.1f" % -extra] if extra else [family.main.space_hex]
                shown += gap if place != last else gap[:1]
        _flush(parts, shown)
        parts.append(b"ET")
        self.out.append(b" ".join(parts))

    def _word(self, parts: list[bytes], shown: list[bytes], chunk: Chunk | Piece) -> None:
        size, ink = chunk.type.size, self.ink
        if chunk.type.colour != self._fill:
            _flush(parts, shown)
            parts.append(self._fill_operator(chunk.type.colour))
        for run in chunk.runs:
            face = run.face
            set_size = size if face.zoom == 1.0 else size * face.zoom
            if (face.number, set_size) != self._font:
                self._set_font(parts, shown, face.number, set_size)
            if not run.core or face.number not in ink.faces:
                ink.use(run)
            if run.missing:
                ink.missing.update(run.missing)
            if run.language:
                _flush(parts, shown)
                parts.append(b"/Span <</Lang(%s)>> BDC" % run.language)
            if run.placed:
                _flush(parts, shown)
                _show_placed(parts, run, ink, set_size)
            elif run.actual or len(run.shows) > 1:
                _flush(parts, shown)
                _show_spelled(parts, run, set_size)
            else:
                shown.append(run.shows[0][1])
            if run.language:
                _flush(parts, shown)
                parts.append(b"EMC")

    def _main_font(self, parts: list[bytes], shown: list[bytes], family: Family, size: float) -> None:
        main = family.main
        if (main.number, size) != self._font:
            self._set_font(parts, shown, main.number, size)
        if main.number not in self.ink.faces:
            for run in family.runs("x"):
                self.ink.use(run)

    def _set_font(self, parts: list[bytes], shown: list[bytes], number: int, size: float) -> None:
        _flush(parts, shown)
        self._font = (number, size)
        self.fonts.add(number)
        parts.append(b"/F%d %g Tf" % (number, size))

    # -- shapes -------------------------------------------------------------------------------------------

    def _fill_operator(self, colour: Colour) -> bytes:
        self._fill = colour
        return b"%g %g %g rg" % self._colours.get(colour, colour)

    def fill(self, colour: Colour) -> None:
        if colour != self._fill:
            self.out.append(self._fill_operator(colour))

    def stroke(self, colour: Colour, width: float) -> None:
        if colour != self._stroke:
            self._stroke = colour
            self.out.append(b"%g %g %g RG" % self._colours.get(colour, colour))
        if width != self._width:
            self._width = width
            self.out.append(b"%g w" % width)

    def rectangle(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        self.fill(colour)
        self.out.append(b"%.2f %.2f %.2f %.2f re f" % (x, self.height - y - height, width, height))

    def squares(self, runs: Iterable[tuple[int, int, int]], x: float, y: float, size: float, colour: Colour) -> None:
        """Rows of squares `size` points wide, each run as (column, row, count), as one shape without seams."""
        self.fill(colour)
        boxes = b" ".join(b"%d %d %d 1 re" % run for run in runs)
        self.out.append(b"q %.4f 0 0 %.4f %.2f %.2f cm %s f Q" % (size, -size, x, self.height - y, boxes))

    def outline(self, x: float, y: float, width: float, height: float, colour: Colour, line: float = 0.35) -> None:
        """The edge of a rectangle."""
        self.stroke(colour, line)
        self.out.append(b"%.2f %.2f %.2f %.2f re S" % (x, self.height - y - height, width, height))

    def rule(self, x: float, y: float, x2: float, y2: float, colour: Colour, width: float, dash: bytes = b"") -> None:
        """A straight line; `dash` is the inside of a PDF dash array."""
        self.stroke(colour, width)
        drawn = b"%.2f %.2f m %.2f %.2f l S" % (x, self.height - y, x2, self.height - y2)
        self.out.append(b"[%s] 0 d %s [] 0 d" % (dash, drawn) if dash else drawn)

    def _finish(self, fill: Colour | None, stroke: Colour | None, width: float) -> bytes:
        """Set the colours of a shape; returns the operator that paints it with them."""
        if fill:
            self.fill(fill)
        if stroke:
            self.stroke(stroke, width)
        return b"B" if fill and stroke else b"f" if fill else b"S"

    def path(self, points: Sequence[Point], *, fill: Paint = None, stroke: Paint = None, width: float = 0.5) -> None:
        """A polygon."""
        finish = self._finish(fill, stroke, width)
        steps = [b"%.2f %.2f %s" % (x, self.height - y, b"l" if place else b"m") for place, (x, y) in enumerate(points)]
        self.out.append(b" ".join([*steps, b"h", finish]))

    def disc(self, x: float, y: float, radius: float, fill: Colour, stroke: Paint, width: float) -> None:
        finish = self._finish(fill, stroke, width)
        y, bend = self.height - y, radius * _CIRCLE
        self.out.append(
            b"%.2f %.2f m %.2f %.2f %.2f %.2f %.2f %.2f c %.2f %.2f %.2f %.2f %.2f %.2f c"
            b" %.2f %.2f %.2f %.2f %.2f %.2f c %.2f %.2f %.2f %.2f %.2f %.2f c h %s"
            % (
                *(x + radius, y, x + radius, y + bend, x + bend, y + radius, x, y + radius),
                *(x - bend, y + radius, x - radius, y + bend, x - radius, y),
                *(x - radius, y - bend, x - bend, y - radius, x, y - radius),
                *(x + bend, y - radius, x + radius, y - bend, x + radius, y, finish),
            )
        )

    def ring_part(
        self, x: float, y: float, inner: float, outer: float, start: float, end: float, colour: Colour, rim: Colour
    ) -> None:
        """A piece of a ring between two angles (radians, clockwise from the left), as a fine polygon."""
        steps = max(2, math.ceil(abs(end - start) / 0.05))
        angles = [start + (end - start) * step / steps for step in range(steps + 1)]
        edge = [(x - outer * math.cos(a), y - outer * math.sin(a)) for a in angles]
        edge += [(x - inner * math.cos(a), y - inner * math.sin(a)) for a in reversed(angles)]
        self.path(edge, fill=colour, stroke=rim, width=0.35)

    def image(self, number: int, x: float, y: float, width: float, height: float) -> None:
        """Place a picture the document has registered under `number`."""
        self.images.add(number)
        box = (width, height, x, self.height - y - height)
        self.out.append(b"q %.2f 0 0 %.2f %.2f %.2f cm /I%d Do Q" % (*box, number))

    def open_mark(self, name: str, number: int) -> None:
        """All that is drawn until `close_mark` belongs to the page's structure element `number`."""
        self.out.append(b"/%s <</MCID %d>> BDC" % (name.encode(), number))

    def open_artifact(self) -> None:
        """Nothing that is drawn until `close_mark` is read out."""
        self.out.append(b"/Artifact BMC")

    def close_mark(self) -> None:
        self.out.append(b"EMC")


def _flush(parts: list[bytes], shown: list[bytes]) -> None:
    if shown:
        parts.append(b"[%s]TJ" % b" ".join(shown))
        shown.clear()


def _show_spelled(parts: list[bytes], run: Run, size: float) -> None:
    if run.actual:
        text = ("\ufeff" + run.text).encode("utf-16-be", "replace").hex().upper().encode()
        parts.append(b"/Span <</ActualText <%s>>> BDC" % text)
    for rise, shown in run.shows:
        parts.append(b"%.2f Ts [%s]TJ" % (rise * size / 1000, shown) if rise else b"[%s]TJ" % shown)
        if rise:
            parts.append(b"0 Ts")
    if run.actual:
        parts.append(b"EMC")


def _show_placed(parts: list[bytes], run: Run, ink: Ink, size: float) -> None:
    """The glyphs where they stand: TJ moves from each to the next, and at last to the end of the run."""
    face, at = run.face, 0
    silent = False
    for placed in run.placed:
        if not (placed.text or silent):  # marks stand last, and say nothing
            silent = True
            parts.append(b"/Span <</ActualText()>> BDC")
        if placed.rise:
            parts.append(b"%.2f Ts" % (placed.rise * size / 1000))
        parts.append(b"[%d <%04X>]TJ" % (at - placed.x, ink.code(face, placed)))
        if placed.rise:
            parts.append(b"0 Ts")
        at = placed.x + face.advance(placed.glyph)
    if silent:
        parts.append(b"EMC")
    parts.append(b"[%d]TJ" % (at - round(run.width / face.zoom)))
