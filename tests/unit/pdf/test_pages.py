"""Pages are chosen over the whole document: no inner page and no last one is nearly empty where a break avoids it."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from actors.pdf.page.flow import LEAST_FILLED, LEAST_LAST, Item, Page, cut_short, keep, keep_ends, paginated
from actors.pdf.renderer import PdfRenderer
from actors.pdf.style import A4, GRID
from tests.unit.pdf.conftest import WatchedCanvas, request
from tests.verapdf.crowd import people


def lines(count: int, **how: Any) -> list[Item]:
    made = [Item(GRID, lambda *_: None) for _ in range(count)]
    for name, value in how.items():
        setattr(made[0], name, value)
    return made


def filled(page: Page) -> float:
    y, item = page.placed[-1]
    return (y + item.height) / A4.body


def counts(items: list[Item]) -> list[int]:
    return [len(page.placed) for page in paginated(items)]


def test_full_pages_stay_as_they_are() -> None:
    assert counts(lines(A4.lines * 2 + 20)) == [A4.lines, A4.lines, 20]


def test_a_last_page_of_a_few_lines_takes_some_from_the_page_before() -> None:
    found = counts(lines(A4.lines + 2))
    assert sum(found) == A4.lines + 2
    assert found[1] / A4.lines >= LEAST_LAST
    assert found[0] > 30


def test_a_part_that_wants_a_new_page_starts_one_unless_a_page_stays_nearly_empty() -> None:
    assert counts(lines(30) + lines(20, new_page=True)) == [30, 20]
    assert counts(lines(5) + lines(20, new_page=True)) == [25]


def test_lines_are_moved_before_a_wanted_page_is_given_up() -> None:
    first, second, third = counts(lines(A4.lines + 5) + lines(20, new_page=True))
    assert (first + second, third) == (A4.lines + 5, 20)
    assert second / A4.lines >= LEAST_FILLED


def test_a_page_is_cut_where_it_ends_when_nothing_else_is_allowed() -> None:
    together = lines(A4.lines * 2 + 3)
    keep(together)
    assert sum(counts(together)) == A4.lines * 2 + 3


@pytest.mark.parametrize("seed", range(60))
def test_any_document_of_paragraphs_has_no_nearly_empty_page(seed: int) -> None:
    chance = random.Random(seed)
    items: list[Item] = []
    for _ in range(chance.randint(3, 60)):
        paragraph = lines(chance.randint(1, 12), before=GRID / 2, new_page=chance.random() < 0.1)
        keep_ends(paragraph)
        items += paragraph
    pages = paginated(items)
    assert [item for page in pages for _, item in page.placed] == items
    assert all(filled(page) <= 1.001 for page in pages)
    if len(pages) > 1:
        assert min(map(filled, pages[:-1])) >= LEAST_FILLED
        assert filled(pages[-1]) >= LEAST_LAST


def test_random_people_get_no_nearly_empty_page(renderer: PdfRenderer, watched: type[WatchedCanvas]) -> None:
    bad = []
    for name, product, report in people(20, seed=4):
        watched.boxes.clear()
        renderer.render(request(product, report))
        feet: dict[int, float] = {}
        for box in watched.boxes:
            if box.top >= A4.top - 1 and box.bottom < A4.bottom + 1:
                feet[box.page] = max(feet.get(box.page, 0.0), (box.bottom - A4.top) / A4.body)
        numbers = sorted(feet)[1:]  # not the cover
        bad += [f"{name} page {page}: {feet[page]:.2f}" for page in numbers[:-1] if feet[page] < LEAST_FILLED - 0.03]
        bad += [f"{name} last page: {feet[numbers[-1]]:.2f}"] * (feet[numbers[-1]] < LEAST_LAST - 0.03)
    assert bad == []


def test_what_follows_a_page_break_always_starts_a_page() -> None:
    assert counts(lines(5) + lines(20, starts_page=True) + lines(2, new_page=True)) == [5, 22]


def test_a_hard_break_that_leaves_a_page_nearly_empty_is_found() -> None:
    assert cut_short(paginated(lines(5) + lines(20, starts_page=True) + lines(2, starts_page=True))) == [1]
    assert cut_short(paginated(lines(40) + lines(30, starts_page=True))) == []
    assert cut_short(paginated(lines(1, full_page=True) + lines(30, starts_page=True))) == []


@pytest.mark.parametrize("share", ["", ", share: 0.5"])
def test_columns_of_unequal_texts_share_the_measure_so_that_they_are_lower(
    tmp_path: Path, watched: type[WatchedCanvas], share: str
) -> None:
    """Unless the template says how wide they are."""
    left, right = ("{block: text, text: '" + words + "'}" for words in ("kata yang " * 60, "dua " * 60))
    blocks = f"left: [{left}], right: [{right}]"
    home = tmp_path / "uji"
    home.mkdir()
    (home / "template.yaml").write_text(f"title: A\nsubject: B\nblocks: [{{block: columns, {blocks}{share}}}]", "utf-8")
    (home / "schema.json").write_text("{}", "utf-8")
    PdfRenderer((tmp_path,)).render(request("uji", {}))
    body = [box for box in watched.boxes if "kata" in box.text or "dua" in box.text]
    feet = [max(box.bottom for box in body if word in box.text) for word in ("kata", "dua")]
    assert (max(feet) - min(feet) > 6 * GRID) == bool(share)


def test_columns_that_begin_with_headings_stand_as_far_from_the_text_above_as_a_heading(
    tmp_path: Path, watched: type[WatchedCanvas]
) -> None:
    home = tmp_path / "uji"
    home.mkdir()
    head, text = "{block: heading, level: 2, text: KEPALA}", "{block: text, text: isi}"
    blocks = f"{head}, {text}, {{block: columns, left: [{head}, {text}], right: [{text}]}}, {text}, {head}"
    (home / "template.yaml").write_text(f"title: A\nsubject: B\nblocks: [{blocks}]", "utf-8")
    (home / "schema.json").write_text("{}", "utf-8")
    PdfRenderer((tmp_path,)).render(request("uji", {}))
    tops = sorted((box.top, box.text) for box in watched.boxes if box.left < 200 and box.text in ("KEPALA", "isi"))
    below = [top - before for (before, above), (top, said) in pairwise(tops) if (above, said) == ("isi", "KEPALA")]
    assert below == pytest.approx([below[0]] * 2)
