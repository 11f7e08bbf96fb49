"""From a column of items to pages: where pages break, and what is repeated after a break."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from actors.pdf.page.canvas import Canvas
from actors.pdf.page.document import Document
from actors.pdf.page.structure import ARTIFACT as ARTIFACT
from actors.pdf.page.structure import Tag as Tag
from actors.pdf.style import sheet


@dataclass(slots=True)
class Place:
    """Where an item is drawn: the current page, and all that an item may ask of the document."""

    document: Document
    canvas: Canvas
    page: int
    pages: int
    found: dict[int, tuple[int, float]]  # where each heading landed: number → (page, y)

    @contextmanager
    def tagged(self, tag: Tag) -> Iterator[None]:
        """What is drawn meanwhile belongs to the tag. Such marks do not stand within each other."""
        self.document.mark(self.canvas, tag)
        yield
        self.canvas.close_mark()


LEAST_FILLED, LEAST_LAST = 0.4, 0.2  # Shares of a page's height that an inner page and the last one fill at least.
TRIED = 30  # How many ends of a page are compared.
# The costs of a page, of a nearly empty page, and of a part that does not get the new page that it wants.
PAGE_COST, EMPTY_COST, PASSED_COST = 0.1, 50.0, 8.0

Draw = Callable[[Place, float, float], None]  # (place, x, top)


@dataclass(slots=True)
class Item:
    """Something that is not divided: a line, a table row, a chart.

    White space `before` it is dropped at the top of a page. With `keep` no page break follows it. The `repeated` items
    (a table's head) are drawn again when a page starts with this one.
    """

    height: float
    draw: Draw
    before: float = 0.0
    keep: bool = False
    repeated: Sequence[Item] = ()
    starts_page: bool = False
    new_page: bool = False  # it starts a page unless that leaves one nearly empty
    headings: Sequence[tuple[int, float]] = ()  # in it, for the contents: number, distance below its top
    indent: float = 0.0
    full_page: bool = False  # It has a page of its own, without furniture.
    closing: bool = False  # At least three lines of text stand above it, as above a signature.
    signed: float | None = None  # The distance of a signature's rule below its top.
    tag: Tag | None = None  # Charts and columns have none: they open their own marks.


@dataclass(slots=True)
class Page:
    """The items of one page with their distance from the top of the text block."""

    placed: list[tuple[float, Item]] = field(default_factory=list)
    bare: bool = False


def paginated(items: Sequence[Item]) -> list[Page]:
    """Pages filled from the top. A break goes where it is allowed, or else where the page ends.

    Where that leaves a page nearly empty, the breaks of the whole document are chosen together.
    """
    if not items:
        return [Page()]
    starts, height = [0], sheet().body
    while (end := _first_fit(items, starts[-1], height)) < len(items):
        starts.append(end)
    pages = [_page(items, start, end) for start, end in pairwise([*starts, len(items)])]
    filled = [1.0 if page.bare else (page.placed[-1][0] + page.placed[-1][1].height) / height for page in pages]
    if min([1.0, *filled[:-1]]) >= LEAST_FILLED and filled[-1] >= LEAST_LAST:
        return pages
    starts = _best_starts(items, height)
    return [_page(items, start, end) for start, end in pairwise([*starts, len(items)])]


def cut_short(pages: Sequence[Page]) -> list[int]:
    """The numbers of the pages that a hard page break leaves nearly empty."""
    found, height = [], sheet().body
    for number, (page, following) in enumerate(pairwise(pages), start=1):
        y, last = page.placed[-1]
        hard = following.placed[0][1].starts_page and not page.bare
        if hard and y + last.height < LEAST_FILLED * height:
            found.append(number)
    return found


def _page(items: Sequence[Item], start: int, end: int) -> Page:
    return Page(_stacked(items[start:end], items[start].repeated), bare=items[start].full_page)


def _stacked(items: Sequence[Item], above: Sequence[Item] = ()) -> list[tuple[float, Item]]:
    """Items below each other and below those `above`, with their distances from the top."""
    placed, y = list[tuple[float, Item]](), 0.0
    for item in (*above, *items):
        y += item.before if len(placed) > len(above) else 0.0
        placed.append((y, item))
        y += item.height
    return placed


def _ends(items: Sequence[Item], start: int, height: float) -> Iterator[tuple[int, float]]:
    """Each place where a page that starts at `start` can end, and the height that it then has."""
    y = sum(item.height for item in items[start].repeated)
    for place in range(start, len(items)):
        item = items[place]
        if place > start:
            walled = item.starts_page or item.full_page or items[start].full_page
            if walled or y + item.before + item.height > height + 0.01:
                return
            y += item.before
        y += item.height
        yield place + 1, y


def _starts_page(items: Sequence[Item], place: int) -> bool:
    return place == len(items) or items[place].new_page or items[place].starts_page or items[place].full_page


def _first_fit(items: Sequence[Item], start: int, height: float) -> int:
    """The end of the fullest page that starts at `start`."""
    end = allowed = start
    for end, _ in _ends(items, start, height):
        if _starts_page(items, end):
            return end
        if not items[end - 1].keep:
            allowed = end
    return allowed if allowed > start else end  # all items want to stay together: part them where the page ends


def _best_starts(items: Sequence[Item], height: float) -> list[int]:
    """Where pages start so that the document as a whole looks best; time is in proportion to its length."""
    costs = [0.0] + [math.inf] * len(items)
    came_from = [0] * (len(items) + 1)
    for start in range(len(items)):
        if costs[start] == math.inf:
            continue
        passed, ends = 0, list[tuple[int, float, int]]()
        for end, y in _ends(items, start, height):
            passed += end - 1 > start and items[end - 1].new_page
            ends.append((end, y, passed))
        allowed = [one for one in ends if not items[one[0] - 1].keep or _starts_page(items, one[0])] or ends[-1:]
        for number, (end, y, passed) in enumerate(allowed, start=TRIED - len(allowed)):
            if number < 0 and not _starts_page(items, end):
                continue
            last, filled = end == len(items), 1.0 if items[start].full_page else y / height
            cost = costs[start] + PAGE_COST + passed * PASSED_COST + (0.0 if last else (1.0 - filled) ** 2)
            lacking = (LEAST_LAST if last else LEAST_FILLED) - filled
            cost += EMPTY_COST * (1.0 + lacking) if lacking > 0 else 0.0
            if cost < costs[end]:
                costs[end], came_from[end] = cost, start
    starts = [came_from[-1]]
    while starts[-1]:
        starts.append(came_from[starts[-1]])
    return starts[::-1]


def total(items: Sequence[Item]) -> float:
    """Height of a column that is not broken."""
    return sum(item.height + (item.before if place else 0.0) for place, item in enumerate(items))


def boxed(items: Sequence[Item]) -> Item:
    """A whole column as one undivided item."""
    placed = _stacked(items)
    headings = [(number, above + below) for above, item in placed for number, below in item.headings]
    return Item(total(items), lambda place, x, top: draw(placed, place, x, top), headings=headings)


def keep(items: Sequence[Item]) -> None:
    """Forbid a page break after each of the items."""
    for item in items:
        item.keep = True


def keep_last(items: Sequence[Item], count: int, height: float) -> None:
    """Keep the last items with what will follow: `count` of them, or fewer that are `height` points high together."""
    for item in reversed(items[-count:]):
        item.keep = True
        height -= item.height
        if height <= 0:
            return


def keep_ends(items: Sequence[Item]) -> None:
    """Leave neither the first nor the last item alone on a page; three items stay together."""
    if len(items) > 1:
        items[0].keep = True
        items[-2].keep = True


def headed(head: Item, rows: Sequence[Item]) -> list[Item]:
    """The rows below their head, which is drawn again on every page that the rows reach."""
    for row in rows:
        row.repeated = (head,)
    return [head, *rows]


def keep_rows(items: Sequence[Item], short: float) -> None:
    """Leave no row of a `headed` column alone on a page; divide no column of less than `short` points."""
    if total(items) < short:
        keep(items[:-1])
    elif len(items) > 3:
        keep_ends(items[1:])


def draw(placed: Sequence[tuple[float, Item]], place: Place, x: float, top: float) -> None:
    """Draw items at their distances from `top`; neighbours with the same tag are read out as one."""
    opened: Tag | None = None
    for y, item in placed:
        if item.tag is not opened:
            if opened:
                place.canvas.close_mark()
            opened = item.tag
            if opened:
                place.document.mark(place.canvas, opened)
        item.draw(place, x + item.indent, top + y)
    if opened:
        place.canvas.close_mark()
