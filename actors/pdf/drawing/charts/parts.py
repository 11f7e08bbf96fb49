"""Charts that read in black and white: dark data over light bands, every value also written as a number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from actors.pdf.drawing.pictures import figure_tag
from actors.pdf.drawing.prose import height_of, plain_lines, put
from actors.pdf.drawing.scales import share, stretches
from actors.pdf.page.flow import ARTIFACT, Item, Place, Tag, headed
from actors.pdf.product.filters import interval_words, norm_of, score_of, spoken
from actors.pdf.product.measure import Scale, Span, known, normed, percentile_of
from actors.pdf.product.values import number
from actors.pdf.product.wording import words
from actors.pdf.style import BANDS, GRID, HALF, INK, LABEL_STRONG, QUIET, RULE, SMALL, Colour, Type, sheet
from actors.pdf.text.linebreak import Line
from actors.pdf.text.words import PLAIN, measured

VALUE_WIDTH = 34.0  # Points for a number beside a track; an interval stands to the right of it.
MOST_WIDTH = 90.0  # Points that a number or an interval may take from the track.
DIGIT = 4.2  # Points of a small digit.
LEGEND_GAP = 21.0  # Points between the end of one entry and the text of the next.
SHORT = 20 * GRID
NAMED = 300  # characters of a chart's title that its alternative text repeats
APART = 3.0  # points between two numbers of an axis


@dataclass(frozen=True, slots=True)
class Datum:
    """One measured thing: label, value (None: not measured), its interval, and what a chart may add to it."""

    label: str
    value: float | None
    note: str = ""
    opposite: str = ""
    name: str = ""
    span: Span | None = None


def most_lines() -> int:
    """Of a label: a longer one ends in an ellipsis, because a chart must fit on a page."""
    return min(20, int(highest() / (LABEL_STRONG.leading + SMALL.leading)))


def highest() -> float:
    """The height that a chart may take of a page, in points: the rest is for its title and its foot."""
    return sheet().body - 7 * GRID


@dataclass(frozen=True, slots=True)
class Room:
    """What the values on a scale need beside a chart's track, in points."""

    scale: Scale
    number: float
    span: float  # for the intervals

    @property
    def whole(self) -> float:
        return self.number + self.span

    def put(self, place: Place, datum: Datum, x: float, middle: float, missing: Colour = QUIET) -> None:
        """The value beside a mark, and its interval in small numbers."""
        type_ = replace(LABEL_STRONG, colour=missing if datum.value is None else INK)
        lines = plain_lines(score_of(self.scale, datum.value), type_, self.number, 1)
        put(place, lines, type_, x, middle - type_.leading / 2, self.number, "right")
        span = plain_lines(interval_words(self.scale, datum.span), SMALL, self.span, 1) if datum.span else []
        put(place, span, SMALL, x, middle - SMALL.leading / 2 + 0.3, self.whole, "right")


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn on which scale, how wide it is, and a number that is drawn as a dashed line."""

    title: str
    data: Sequence[Datum]
    scale: Scale
    measure: float
    reference: float | None

    def room(self) -> Room:
        """Room for the widest number and the widest interval, and for those of the scale's own ends at least."""

        def widest(texts: Sequence[str], type_: Type, gap: float) -> float:
            widths = (plain_lines(text, type_, MOST_WIDTH, 1)[0].width + gap for text in texts)
            return min(max(widths, default=0.0), MOST_WIDTH)

        scale = self.scale
        longest = max(len(number(end, scale.decimals)) for end in (scale.low, scale.high))
        usual = (2 * longest + 1) * DIGIT + 4 if known(scale) else 0.0
        numbers = widest([score_of(scale, datum.value) for datum in self.data], LABEL_STRONG, 6.0)
        spans = widest([interval_words(scale, datum.span) for datum in self.data if datum.span], SMALL, 4.0)
        return Room(scale, max(VALUE_WIDTH, numbers), max(usual, spans))

    def figure(self, items: list[Item]) -> list[Item]:
        """The items as one figure, with an alternative text that says what the chart says, value by value."""
        said = "; ".join(_said(datum, self.scale) for datum in self.data)
        tag = figure_tag(f"{self.title[:NAMED] or words().chart}. {_told(self.scale)}{said}.")
        for item in items:
            item.tag = tag
        return items

    def rows(self, items: list[Item], left: float, track: float) -> list[Item]:
        """Rows as a figure, with what stands above and below a track: the names of the bands return on every page.

        Below are the numbers of the axis, and a legend when the bands could not be named above.
        """
        names = _band_names(self.scale, track)
        items = headed(_scale_head(self.scale, names, left, track), self.figure(items))
        below = [_axis_item(self.scale, left, track)]
        if normed(self.scale):
            below.append(_axis_item(self.scale, left, track, percentiles=True))
        below += [*(self.legends() if names is None else ()), *self.key()]
        for item in [items[-1], *below[:-1]]:
            item.keep = True
        return items + below

    def key(self, names: tuple[str, str, str] | None = None) -> list[Item]:
        """What interval, mean and reference of a chart look like, by their `names`, and who is compared."""
        said, scale = [], self.scale
        names = names or (words().dark_band, words().upright_line, words().dashed_line)
        if known(scale):
            said.append(f"{names[0]}: {words().interval.format(level=scale.level)}")
            if scale.mean is not None:
                said.append(f"{names[1]}: {words().mean.format(mean=number(scale.mean))}")
            said.append(norm_of(scale))
        if self.reference is not None:
            said.append(f"{names[2]}: {words().reference.format(at=number(self.reference))}")
        if not said:
            return []
        text = "; ".join(said)
        lines = plain_lines(f"{text[0].upper()}{text[1:]}.", SMALL, self.measure, 4)
        height = math.ceil(height_of(lines, SMALL) / HALF) * HALF

        def draw(place: Place, x: float, top: float) -> None:
            put(place, lines, SMALL, x, top, self.measure, "center")

        return [Item(height, draw, tag=Tag("P"))]

    def legends(self) -> list[Item]:
        """The bands' tones with their names and upper ends, side by side in as few rows as they need; none without names."""
        if not any(band.label for band, _, _ in stretches(self.scale)):
            return []
        rows: list[list[tuple[int, Line]]] = [[]]
        room = self.measure
        ends = [number(band.upto) for band in self.scale.bands]
        for tone, band in enumerate(self.scale.bands):
            reach = f"> {ends[tone - 1]}" if tone and tone == len(ends) - 1 else words().up_to.format(end=ends[tone])
            line = plain_lines(f"{band.label} {reach}", SMALL, self.measure - 24, 1)[0]
            if line.width + 11 > room and rows[-1]:
                rows.append([])
                room = self.measure
            rows[-1].append((tone, line))
            room -= line.width + LEGEND_GAP

        def draw(place: Place, x: float, top: float) -> None:
            for row in rows:
                left = x + (self.measure - sum(line.width + LEGEND_GAP for _, line in row) + LEGEND_GAP - 11) / 2
                for tone, line in row:
                    place.canvas.rectangle(left, top + 4, 8, 6, BANDS[tone])
                    place.canvas.outline(left, top + 4, 8, 6, RULE)
                    put(place, [line], SMALL, left + 11, top + 2.5, line.width)
                    left += line.width + LEGEND_GAP
                top += GRID

        return [Item(GRID * len(rows), draw, tag=ARTIFACT)]


def _told(scale: Scale) -> str:
    """The scale in words, when it says how it measures."""
    if not known(scale):
        return ""
    said = [words().scale.format(low=number(scale.low), high=number(scale.high))]
    if scale.mean is not None:
        said += [words().mean.format(mean=number(scale.mean)), words().deviation.format(sd=number(scale.sd))]
    return f"{', '.join([*said, norm_of(scale)])}. "


def _said(datum: Datum, scale: Scale) -> str:
    """One datum in words; between two poles both are named, and which of them is high."""
    poles = f"{datum.label} – {datum.opposite}" if datum.opposite else datum.label
    return f"{f'{datum.name} ({poles})' if datum.name else poles}: {spoken(scale, datum.value, datum.span)}"


def _band_names(scale: Scale, width: float) -> list[list[Line]] | None:
    """The bands' names set in at most two lines each, or None when one does not fit over its stretch."""
    names = []
    if not any(band.label for band, _, _ in stretches(scale)):
        return None
    for band, start, end in stretches(scale):
        room = (end - start) * width - 2
        if any(chunk.width > room for chunk in measured([(band.label, PLAIN)], SMALL)[0]):
            return None
        lines = plain_lines(band.label, SMALL, room)
        if len(lines) > 2:
            return None
        names.append(lines)
    return names


def _scale_head(scale: Scale, names: list[list[Line]] | None, left: float, track: float) -> Item:
    """The names of the bands above their stretches; white space when they do not fit, and then the legend has them."""
    if names is None:
        return Item(HALF, lambda place, x, top: None, before=HALF, keep=True, tag=ARTIFACT)
    height = HALF * (2 if max(map(len, names)) == 1 else 3)

    def draw(place: Place, x: float, top: float) -> None:
        for (_, start, end), lines in zip(stretches(scale), names, strict=True):
            above = top + height - 3 - height_of(lines, SMALL)
            put(place, lines, SMALL, x + left + start * track, above, (end - start) * track, "center")

    return Item(height, draw, before=HALF, keep=True, tag=ARTIFACT)


def _ticks(scale: Scale) -> list[float]:
    """Where an axis has numbers: whole standard deviations from the mean, or else the ends of the bands."""
    if not known(scale) or scale.mean is None or scale.sd is None:
        return [scale.low, *(band.upto for band, _, _ in stretches(scale))]
    steps = range(-6, 7)
    return [at for step in steps if scale.low <= (at := scale.mean + step * scale.sd) <= scale.high]


def _axis_item(scale: Scale, left: float, track: float, *, percentiles: bool = False) -> Item:
    """The numbers below a track: scores, or the percentiles of the same scores. A number without room is left out."""
    marks: list[tuple[float, list[Line]]] = []
    free = -math.inf
    for value in _ticks(scale):
        text = percentile_of(scale, value) if percentiles else number(value)
        lines = plain_lines(text or "", SMALL, MOST_WIDTH, 1)
        at = share(scale, value) * track
        if at - lines[0].width / 2 >= free:
            marks.append((at, lines))
            free = at + lines[0].width / 2 + APART
    named = (words().percentile if percentiles else words().score).capitalize()
    name = plain_lines(named, SMALL, 60, 1) if normed(scale) else []

    def draw(place: Place, x: float, top: float) -> None:
        put(place, name, SMALL, x, top + 1, left - 12, "right")
        for at, lines in marks:
            put(place, lines, SMALL, x + left + at - MOST_WIDTH / 2, top + 1, MOST_WIDTH, "center")

    return Item(GRID, draw, tag=ARTIFACT)
