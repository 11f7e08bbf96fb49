"""Six hundred random people per report and language, and no page that is nearly empty although an allowed break avoids it.

The pages are judged by another search than the renderer's: it counts the fewest nearly empty pages that there can be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pytest

from actors.pdf.compose import Composer
from actors.pdf.page.flow import LEAST_FILLED, LEAST_LAST, Item, Page, paginated
from actors.pdf.product.wording import speaking
from actors.pdf.renderer import PdfRenderer
from actors.pdf.style import A4
from tests.verapdf.crowd import people

PEOPLE = 600
pytestmark = pytest.mark.timeout(3600)


def wanting(height: float, *, bare: bool, last: bool) -> bool:
    """Whether a page of that height is nearly empty."""
    return not bare and height < (LEAST_LAST if last else LEAST_FILLED) * A4.body - 0.01


def nearly_empty(pages: Sequence[Page]) -> int:
    """How many of the pages are."""
    feet = [page.placed[-1][0] + page.placed[-1][1].height for page in pages]
    return sum(wanting(foot, bare=page.bare, last=page is pages[-1]) for foot, page in zip(feet, pages, strict=True))


def fewest(items: Sequence[Item]) -> float:
    """How many nearly empty pages there are at least, however the column is broken where breaks are allowed."""
    best = [0.0] + [math.inf] * len(items)
    for start in range(len(items)):
        height = sum(item.height for item in items[start].repeated)
        allowed, cut = False, (start + 1, best[start])  # where the page is cut if no break is allowed, and at what cost
        for place in range(start, len(items)):
            item = items[place]
            if place > start and (item.starts_page or item.full_page or items[start].full_page):
                break
            height += item.height + (item.before if place > start else 0.0)
            if height > A4.body + 0.01 and place > start:
                break
            end, last = place + 1, place + 1 == len(items)
            cost = best[start] + wanting(height, bare=items[start].full_page, last=last)
            hard = last or items[end].starts_page or items[end].full_page or items[end].new_page
            cut = end, cost
            if hard or not item.keep:
                best[end], allowed = min(best[end], cost), True
        if not allowed:
            best[cut[0]] = min(best[cut[0]], cut[1])
    return best[-1]


def test_no_page_is_nearly_empty_where_an_allowed_break_avoids_it() -> None:
    renderer = PdfRenderer()
    worse, unavoidable, looked_at = list[str](), list[str](), 0
    for name, product, report in people(PEOPLE, seed=2026):
        template = renderer.template(product)
        with speaking(template.layout.language, ZoneInfo("Asia/Jakarta")):
            items = Composer(template, template.checked(report), lambda done: None).items()
        pages = paginated(items)
        looked_at += len(pages)
        found = nearly_empty(pages)
        if found > fewest(items):
            worse.append(name)
        elif found:
            unavoidable.append(name)
    print(f"{looked_at} pages, nearly empty and unavoidable: {unavoidable}")
    assert looked_at > 16 * PEOPLE
    assert worse == []


def test_the_judge_knows_a_better_way() -> None:
    def lines(count: int, **how: bool) -> list[Item]:
        return [Item(A4.body / 10, lambda *_: None, **how) for _ in range(count)]  # type: ignore[arg-type]

    assert nearly_empty(paginated(lines(11))) == fewest(lines(11)) == 0
    greedy = lines(11)
    pages = [Page([(n * item.height, item) for n, item in enumerate(greedy[:10])]), Page([(0.0, greedy[10])])]
    assert nearly_empty(pages) == 1
    hard = lines(1) + lines(1, starts_page=True) + lines(9)
    assert nearly_empty(paginated(hard)) == fewest(hard) == 1
    together = lines(11, keep=True)
    assert fewest(together) == nearly_empty(paginated(together)) == 1
