"""Dividing measured chunks into lines: the whole paragraph at once for justified text, first fit for ragged text.

Justified text follows Knuth and Plass, "Breaking Paragraphs into Lines" (1981); all lines have one measure.
Words are hyphenated only where the paragraph does not come out well without it. It comes out well when no tight line
stands next to a loose one, and no word alone on the last line.
"""

from bisect import bisect_left
from dataclasses import dataclass

from actors.pdf.fonts.font_file import SOFT_HYPHEN
from actors.pdf.product.wording import speech
from actors.pdf.text.words import Chunk, hyphen_places, right_to_left, shredded

STRETCH, SHRINK = 0.55, 0.33  # of a word space, at ratio 1
HYPHEN_COST, PIECE_COST = 55.0, 8.0
SHORT_COST = 40.0  # of a last line that is shorter than this part of the measure
SHORT = 0.12
# What a tight line beside a loose one costs, and a word alone on the last line, where nothing else is possible.
UGLY_COST = 1e7
CLASSES = TIGHT, NORMAL, LOOSE = range(3)  # Neighbours in a paragraph should not be two classes apart.
CLOSE = 1.0  # Points. Of two possible line ends that are nearer to each other, one counts.
MIN_DIVIDED = 20.0  # Points. A shorter word is not hyphenated.
_INFINITE = float("inf")


@dataclass(slots=True, eq=False)
class Line:
    """Chunks side by side."""

    chunks: list[Chunk]
    width: float
    stretch: float = 0.0  # points added to every word space
    rtl: bool = False  # it starts at the right

    @property
    def below(self) -> float:
        """Points that it is taller than its leading, because a script reaches far down."""
        return max((chunk.below for chunk in self.chunks), default=0.0)


def _directed(lines: list[Line], chunks: list[Chunk]) -> list[Line]:
    """The lines of one paragraph, each with the direction of the paragraph."""
    if any(chunk.rtl for chunk in chunks) and right_to_left(" ".join(chunk.text for chunk in chunks)):
        for line in lines:
            line.rtl = True
    return lines


def _fitting(chunks: list[Chunk], measure: float) -> list[Chunk]:
    if all(chunk.width <= measure for chunk in chunks):
        return chunks
    fitting: list[Chunk] = []
    for chunk in chunks:
        fitting.extend([chunk] if chunk.width <= measure else shredded(chunk, measure))
    return fitting


def ragged(chunks: list[Chunk], measure: float, *, hyphenate: bool = True) -> list[Line]:
    """Lines that are filled one after the other; word spaces keep their width."""
    lines: list[Line] = []
    line: list[Chunk] = []
    width = gap = 0.0
    pending = _fitting(chunks, measure)
    place = 0
    while place < len(pending):
        group = [pending[place]]  # chunks that must stay together
        while not (group[-1].space or group[-1].breakable) and place + len(group) < len(pending):
            group.append(pending[place + len(group)])
        wide = sum(chunk.width for chunk in group)
        if line and width + gap + wide > measure:
            dividable = hyphenate and len(group) == 1 and place + 1 < len(pending)
            divided = _divide(group[0], measure - width - gap) if dividable else None
            if divided:
                line.append(divided[0])
                pending[place : place + 1] = [divided[1]]
                width += gap + divided[0].width
            lines.append(Line(line, width))
            line, width, gap = [], 0.0, 0.0
            if divided:
                continue
        if wide > measure and len(group) > 1:  # glued pieces are wider than the line: part them
            parted = [chunk.like(chunk.text, breakable=True) for chunk in group[:-1]]
            pending[place : place + len(parted)] = parted
            group = parted[:1]
            wide = group[0].width
        width += gap + wide
        gap = group[-1].space
        line.extend(group)
        place += len(group)
    if hyphenate and lines and not any(chunk.space for chunk in line[:-1]):
        _give_company(lines[-1], line, measure)
    if line or not lines:
        lines.append(Line(line, sum(chunk.width + chunk.space for chunk in line) - (line[-1].space if line else 0.0)))
    return _directed(lines, chunks)


def _give_company(above: Line, alone: list[Chunk], measure: float) -> None:
    """Move the last word of a line of three words or more to the one that stands alone below it."""
    gaps = [place for place, chunk in enumerate(above.chunks[:-1], start=1) if chunk.space]
    if len(gaps) < 2 or above.chunks[-1].breakable or not above.chunks[-1].space:
        return
    moved = above.chunks[gaps[-1] :]
    if sum(chunk.width + chunk.space for chunk in [*moved, *alone]) - alone[-1].space > measure:
        return
    gap = above.chunks[gaps[-1] - 1].space
    above.width -= gap + sum(chunk.width + chunk.space for chunk in moved) - moved[-1].space
    del above.chunks[gaps[-1] :]
    alone[:0] = moved


def _divide(chunk: Chunk, room: float) -> tuple[Chunk, Chunk] | None:
    for place in reversed(hyphen_places(chunk.text, speech().language)):
        head = chunk.like(chunk.text[:place] + SOFT_HYPHEN, breakable=True)
        if head.width <= room:
            return head, chunk.like(chunk.text[place:], chunk.space, breakable=chunk.breakable)
    return None


def justified(chunks: list[Chunk], measure: float) -> list[Line]:
    """Lines of equal width, the last one ragged; spaces as even over the paragraph as they can be."""
    if not chunks:
        return [Line([], 0.0)]
    chunks = _fitting(chunks, measure)
    total = sum(chunk.width + chunk.space for chunk in chunks) - chunks[-1].space
    if total <= measure:
        return _directed([Line(chunks, total)], chunks)
    if (lines := _Breaks(chunks, hyphenate=False).best(measure, 1.5, _INFINITE)) is not None:
        return _directed(lines, chunks)
    breaks = _Breaks(chunks, hyphenate=True)
    for tolerance in (2.6, 7.0):
        if (lines := breaks.best(measure, tolerance, UGLY_COST)) is not None:
            return _directed(lines, chunks)
    return ragged(chunks, measure)


class _Breaks:
    """The places where lines may end, as parallel lists (attribute look-ups would double the time)."""

    def __init__(self, chunks: list[Chunk], hyphenate: bool) -> None:
        self.chunks = chunks
        self.ends: list[float] = []  # where a line ending here ends, in running length
        self.starts: list[float] = []  # where the next line starts
        self.gaps: list[int] = []  # word spaces before the end
        self.gaps_after: list[int] = []
        self.costs: list[float] = []
        self.places: list[tuple[int, int]] = []  # (chunk, letters of it before the break; 0: all)
        self.space = next((chunk.space for chunk in chunks if chunk.space), 2.5)
        self._collect(hyphenate)

    def _collect(self, hyphenate: bool) -> None:
        ends, starts, costs, places = self.ends, self.starts, self.costs, self.places
        gaps, gaps_after = self.gaps, self.gaps_after
        length, count = 0.0, 0
        last = len(self.chunks) - 1
        language = speech().language
        for number, chunk in enumerate(self.chunks):
            width, space = chunk.width, chunk.space
            if hyphenate and width > MIN_DIVIDED and (points := hyphen_places(chunk.text, language)):
                scale = chunk.type.size / 1000
                for place, head, tail in chunk.family.divided(chunk.text, points):
                    ends.append(length + head * scale)
                    starts.append(length + width - tail * scale)
                    gaps.append(count)
                    gaps_after.append(count)
                    costs.append(HYPHEN_COST)
                    places.append((number, place))
            length += width
            if not (space or chunk.breakable or number == last):
                continue
            if not space and number != last and ends and length < ends[-1] + CLOSE:
                continue
            ends.append(length)
            gaps.append(count)
            places.append((number, 0))
            costs.append(0.0 if space or number == last else PIECE_COST)
            if space:
                length += space
                count += 1
            starts.append(length)
            gaps_after.append(count)

    def best(self, measure: float, tolerance: float, ugly: float) -> list[Line] | None:
        """The cheapest division; None when some line would stretch beyond the tolerance.

        `ugly` is the cost of a tight line beside a loose one, and of a lone last word. Lines of three classes reach each
        place, and the cheapest way by each class is kept.
        """
        ends, starts, gaps, gaps_after, costs = self.ends, self.starts, self.gaps, self.gaps_after, self.costs
        last = len(ends) - 1
        stretch, shrink = self.space * STRETCH, self.space * SHRINK
        # Place and class in one list: 3 * place + class; the paragraph's start is the place -1.
        cheapest = [_INFINITE] * (3 * last + 6)
        came_from = [-1] * (3 * last + 3)
        cheapest[-3 + NORMAL] = 0.0
        for origin in range(-1, last):
            tight, normal, loose = cheapest[3 * origin : 3 * origin + 3] if origin >= 0 else cheapest[-3:]
            if tight == normal == loose == _INFINITE:
                continue
            reached = []  # for a line of each class: the cheapest way to its beginning, and where that way comes from
            for ways in ((tight, normal, loose + ugly), (tight, normal, loose), (tight + ugly, normal, loose)):
                cheap = min(ways)
                reached.append((cheap, 3 * origin + ways.index(cheap)))
            start, first_gap, hyphen_before = 0.0, 0, False
            if origin >= 0:
                start, first_gap, hyphen_before = starts[origin], gaps_after[origin], costs[origin] == HYPHEN_COST
            for place in range(bisect_left(ends, start + measure * 0.62, origin + 1), last + 1):
                count = gaps[place] - first_gap
                slack = measure - (ends[place] - start)
                if slack >= 0:
                    ratio = slack / (stretch * count) if count else (0.0 if slack < 0.01 else 99.0)
                    if place == last:
                        ratio = 0.0
                    elif ratio > tolerance:
                        continue
                    own = NORMAL if ratio <= 0.5 else LOOSE
                else:
                    ratio = -slack / (shrink * count) if count else 99.0
                    if ratio > 1.0:
                        break
                    own = NORMAL if ratio <= 0.5 else TIGHT
                badness = 1.0 + 100.0 * ratio * ratio * ratio + costs[place]
                if hyphen_before and costs[place] == HYPHEN_COST:
                    badness += HYPHEN_COST
                so_far, before = reached[own]
                cost = so_far + badness * badness
                if place == last and not count:
                    cost += ugly + ugly * hyphen_before  # half a word is worse than a word
                if cost < cheapest[3 * place + own]:
                    cheapest[3 * place + own] = cost
                    came_from[3 * place + own] = before
            else:
                # The rest of the paragraph fits: it may be shorter than what the loop above looks at.
                rest = ends[last] - start
                if rest <= measure:
                    badness = 1.0 + (SHORT_COST if rest < SHORT * measure else 0.0)
                    so_far, before = reached[NORMAL]
                    lone = 0.0 if gaps[last] > first_gap else ugly + ugly * hyphen_before
                    cost = so_far + badness * badness + lone
                    if cost < cheapest[3 * last + NORMAL]:
                        cheapest[3 * last + NORMAL] = cost
                        came_from[3 * last + NORMAL] = before
        final = min(CLASSES, key=lambda own: cheapest[3 * last + own])
        if cheapest[3 * last + final] == _INFINITE:
            return None
        way = 3 * last + final
        route = [last]
        while (way := came_from[way]) >= 0:
            route.append(way // 3)
        return self._lines(route[::-1], measure)

    def _lines(self, route: list[int], measure: float) -> list[Line]:
        lines: list[Line] = []
        chunk, letter, start, first_gap = 0, 0, 0.0, 0
        for place in route:
            until, cut = self.places[place]
            picked = self.chunks[chunk : until + 1]
            if cut:
                final = picked[-1]
                picked[-1] = final.like(final.text[:cut] + SOFT_HYPHEN)
            if letter:
                first = picked[0]
                picked[0] = first.like(first.text[letter:], first.space)
            width = self.ends[place] - start
            count = self.gaps[place] - first_gap
            slack = measure - width
            stretch = slack / count if count and not (place == route[-1] and slack >= 0) else 0.0
            lines.append(Line(picked, width + stretch * count, stretch))
            chunk, letter = (until, cut) if cut else (until + 1, 0)
            start, first_gap = self.starts[place], self.gaps_after[place]
        return lines
