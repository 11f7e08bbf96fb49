"""The radar: a polygon over rings of norm bands; the RIASEC hexagon when there are six axes."""

import math
from collections.abc import Sequence
from itertools import pairwise

from actors.pdf.drawing.charts.bars import bars_items
from actors.pdf.drawing.charts.parts import Chart, Datum, highest, most_lines
from actors.pdf.drawing.prose import height_of, plain_lines, put
from actors.pdf.drawing.scales import share, stretches
from actors.pdf.page.flow import ARTIFACT, Draw, Item, Place
from actors.pdf.product.filters import interval_words, score_of
from actors.pdf.product.measure import Scale, known
from actors.pdf.product.wording import words
from actors.pdf.style import BANDS, DEEP, GRID, GUTTER, HALF, INK, LABEL, LABEL_STRONG, RULE, WHITE, sheet
from actors.pdf.text.linebreak import Line

_HEIGHT, _FEW_HEIGHT, _FEW_SPOKES = 19 * GRID, 15 * GRID, 4  # few spokes have little to tell apart
NAMED_SPOKES = 10  # more of them carry numbers, and a key stands below; so do fewer whose names would touch
_OUTWARDS = 4.0  # Points that a name beside its spoke is moved up or down, away from the middle.


def radar_items(chart: Chart) -> list[Item]:
    """A polygon on spokes; with fewer than three axes there is no area to see and bars are drawn instead."""
    data, scale, measure = chart.data, chart.scale, chart.measure
    if len(data) < 3:
        return bars_items(chart)
    label_width = min(96.0, measure * 0.24)
    most = min(_FEW_HEIGHT if len(data) <= _FEW_SPOKES else _HEIGHT, highest())
    height = math.floor(min(measure * (0.75 if sheet().narrow else 0.62), most) / GRID) * GRID
    angles = [-math.pi / 2 + 2 * math.pi * place / len(data) for place in range(len(data))]

    def labelled(*, numbered: bool) -> tuple[list[list[Line]], list[list[Line]], float]:
        """What stands at the spokes, name and figures, and the radius that they leave."""
        spokes = [str(place) for place in range(1, len(data) + 1)] if numbered else [datum.label for datum in data]
        most_lines = 1 if numbered or sheet().low else min(3, 24 // len(data))
        labels = [plain_lines(spoke, LABEL_STRONG, label_width, most_lines) for spoke in spokes]
        said = [[] if numbered else plain_lines(_figures(datum, scale), LABEL, label_width, 2) for datum in data]
        figures = max(LABEL.leading, *(height_of(lines, LABEL) for lines in said))
        outer = max(height_of(label, LABEL_STRONG) for label in labels) + figures + 13
        return labels, said, min(height / 2 - outer, measure / 2 - label_width - 10)

    crowded = len(data) > NAMED_SPOKES
    labels, said, radius = labelled(numbered=crowded)
    if not crowded and _touching(labels, said, angles, radius):
        crowded = True
        labels, said, radius = labelled(numbered=True)

    def draw(place: Place, x: float, top: float) -> None:
        canvas = place.canvas
        middle_x, middle_y = x + measure / 2, top + height / 2

        def at(angle: float, part: float) -> tuple[float, float]:
            return middle_x + radius * part * math.cos(angle), middle_y + radius * part * math.sin(angle)

        scores = [datum.value for datum in data]
        points = [None if v is None else at(angle, share(scale, v)) for angle, v in zip(angles, scores, strict=True)]
        for (_, _, part), tone in reversed(list(zip(stretches(scale), BANDS, strict=False))):
            canvas.path([at(angle, part) for angle in angles], fill=tone, stroke=WHITE, width=0.8)
        mean = scale.mean if known(scale) else None
        for value, colour, width in ((mean, INK, 0.6), (chart.reference, DEEP, 1.0)):
            if value is not None:
                canvas.path([at(angle, share(scale, value)) for angle in angles], stroke=colour, width=width)
        for angle in angles:
            canvas.rule(middle_x, middle_y, *at(angle, 1.0), RULE, 0.4)
        shape = [point for point in points if point]
        if len(shape) == len(data):
            canvas.path(shape, stroke=DEEP, width=1.8)
        else:  # a missing value leaves a gap: nothing is guessed across it
            for start, end in pairwise([*points, points[0]]):
                if start and end:
                    canvas.rule(*start, *end, DEEP, 1.8)
        for point in shape:
            canvas.disc(*point, 3.0, fill=DEEP, stroke=WHITE, width=0.8)
        for angle, label, values in zip(angles, labels, said, strict=True):
            _spoke_label(place, label, values, at(angle, 1.0), angle, label_width)

    drawn = chart.figure([Item(height, draw, before=HALF, keep=True)])
    names = (words().brackets, words().thin_line, words().thick_line)
    return [*drawn, *chart.legends(), *chart.key(names), *(_spokes_key(chart) if crowded else ())]


def _touching(labels: Sequence[list[Line]], said: Sequence[list[Line]], angles: Sequence[float], radius: float) -> bool:
    """Whether names beside neighbouring spokes would lie over each other: scripts that reach far down make them tall."""
    blocks = [_block(label, values) for label, values in zip(labels, said, strict=True)]
    for (one, angle), (other, beyond) in pairwise(zip(blocks, angles, strict=True)):
        apart = (radius + _OUTWARDS) * abs(math.sin(angle) - math.sin(beyond))
        if _side(angle) == _side(beyond) != 0 and apart < (one + other) / 2:
            return True
    return False


def _spokes_key(chart: Chart) -> list[Item]:
    """What the numbers at crowded spokes mean, with the values, in two columns."""
    width = (chart.measure - GUTTER) / 2
    room = chart.room().number
    entries = []
    for place, datum in enumerate(chart.data, start=1):
        lines = plain_lines(datum.label, LABEL, width - 26 - room, most_lines())
        entries.append((str(place), lines, score_of(chart.scale, datum.value)))
    half = (len(entries) + 1) // 2
    items = []
    for place in range(half):
        pair = entries[place::half]
        tallest = max(height_of(lines, LABEL) for _, lines, _ in pair)
        height = math.ceil((tallest + 3) / HALF) * HALF
        items.append(Item(height, _key_row(pair, width, room), tag=ARTIFACT))
    items[0].before = HALF
    return items


def _key_row(pair: Sequence[tuple[str, list[Line], str]], width: float, room: float) -> Draw:
    def draw(place: Place, x: float, top: float) -> None:
        for side, (spoke, lines, value) in enumerate(pair):
            left = x + side * (width + GUTTER)
            put(place, plain_lines(spoke, LABEL_STRONG, 20, 1), LABEL_STRONG, left, top, 16, "right")
            put(place, lines, LABEL, left + 22, top, width - 26 - room)
            number = plain_lines(value, LABEL_STRONG, room, 1)
            put(place, number, LABEL_STRONG, left + width - room, top, room, "right")

    return draw


def _figures(datum: Datum, scale: Scale) -> str:
    """A value with its interval."""
    return score_of(scale, datum.value) + (f" ({interval_words(scale, datum.span)})" if datum.span else "")


def _side(angle: float) -> int:
    """Where the name of a spoke stands: 1 at its right, -1 at its left, 0 above or below it."""
    across = math.cos(angle)
    return 0 if abs(across) < 0.3 else 1 if across > 0 else -1


def _block(label: list[Line], value: list[Line]) -> float:
    """Points that a name with its value is high."""
    return height_of(label, LABEL_STRONG) + height_of(value, LABEL)


def _spoke_label(
    place: Place, label: list[Line], value: list[Line], point: tuple[float, float], angle: float, width: float
) -> None:
    block = _block(label, value)
    side, down = _side(angle), math.sin(angle)
    if side == 0:
        align, x = "center", point[0] - width / 2
        top = point[1] + 6 if down > 0 else point[1] - block - 6
    else:
        align = "left" if side > 0 else "right"
        x = point[0] + 9 if side > 0 else point[0] - 9 - width
        top = point[1] - block / 2 + down * _OUTWARDS
    put(place, label, LABEL_STRONG, x, top, width, align)
    put(place, value, LABEL, x, top + height_of(label, LABEL_STRONG), width, align)
