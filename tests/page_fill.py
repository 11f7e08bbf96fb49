"""How full pages are, and how full they could be: judged by another search than the renderer's.

The search counts the fewest nearly empty pages that there can be, wherever a column is broken where breaks are allowed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from actors.pdf.page.flow import LEAST_FILLED, LEAST_LAST, Item, Page
from actors.pdf.style import sheet


def wanting(height: float, *, bare: bool, last: bool) -> bool:
    """Whether a page of that height is nearly empty."""
    return not bare and height < (LEAST_LAST if last else LEAST_FILLED) * sheet().body - 0.01


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
            if height > sheet().body + 0.01 and place > start:
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
