"""Six hundred random people per report and language, and no page that is nearly empty although an allowed break avoids it.

The pages are judged by another search than the renderer's, `tests/page_fill.py`.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from actors.pdf.compose import Composer
from actors.pdf.page.flow import Item, Page, paginated
from actors.pdf.product.wording import speaking
from actors.pdf.renderer import PdfRenderer
from actors.pdf.style import A4
from tests.page_fill import fewest, nearly_empty
from tests.verapdf.crowd import people

PEOPLE = 600
pytestmark = pytest.mark.timeout(3600)


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
