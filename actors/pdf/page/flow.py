"""From a column of items to pages: where pages break, and what is repeated after a break."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from actors.pdf.page.canvas import Canvas
from actors.pdf.page.document import Document
from actors.pdf.page.structure import ARTIFACT as ARTIFACT
from actors.pdf.page.structure import Tag as Tag
from actors.pdf.style import BODY_HEIGHT, LEFT, TOP


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
    headings: Sequence[tuple[int, float]] = ()  # in it, for the contents: number, distance below its top
    indent: float = 0.0
    full_page: bool = False  # drawn on a page of its own, without furniture
    tag: Tag | None = None  # None: it opens its own marks, as charts and columns do


@dataclass(slots=True)
class Page:
    """The items of one page with their distance from the top of the text block."""

    placed: list[tuple[float, Item]] = field(default_factory=list)
    bare: bool = False


def paginated(items: Sequence[Item], height: float = BODY_HEIGHT) -> list[Page]:
    """Pages filled from the top. A break goes where it is allowed, or else where the page ends."""
    pages: list[Page] = []
    start = 0
    while start < len(items):
        page, start = _filled(items, start, height)
        pages.append(page)
    return pages or [Page()]


def _filled(items: Sequence[Item], start: int, height: float) -> tuple[Page, int]:
    first = items[start]
    if first.full_page:
        return Page([(0.0, first)], bare=True), start + 1
    placed: list[tuple[float, Item]] = []
    y = 0.0
    for item in first.repeated:
        placed.append((y, item))
        y += item.height
    repeated = len(placed)
    place = start
    while place < len(items):
        item = items[place]
        if place > start and (item.full_page or item.starts_page):
            return Page(placed), place
        before = item.before if len(placed) > repeated else 0.0
        if y + before + item.height > height + 0.01 and place > start:
            break
        y += before
        placed.append((y, item))
        y += item.height
        place += 1
    else:
        return Page(placed), place
    cut = place
    while cut > start + 1 and items[cut - 1].keep:
        cut -= 1
    if items[cut - 1].keep:  # all items want to stay together: part them where the page ends
        cut = place
    return Page(placed[: repeated + cut - start]), cut


def total(items: Sequence[Item]) -> float:
    """Height of a column that is not broken."""
    return sum(item.height + (item.before if place else 0.0) for place, item in enumerate(items))


def boxed(items: Sequence[Item]) -> Item:
    """A whole column as one undivided item."""
    placed: list[tuple[float, Item]] = []
    y = 0.0
    for number, item in enumerate(items):
        y += item.before if number else 0.0
        placed.append((y, item))
        y += item.height
    headings = [(number, above + below) for above, item in placed for number, below in item.headings]
    return Item(total(items), lambda place, x, top: draw(placed, place, x, top), headings=headings)


def keep(items: Sequence[Item]) -> None:
    """Forbid a page break after each of the items."""
    for item in items:
        item.keep = True


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


def draw(placed: Sequence[tuple[float, Item]], place: Place, x: float = LEFT, top: float = TOP) -> None:
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
