"""Faces, lines and pages: widths are right, spaces even, nothing stands alone."""

from __future__ import annotations

import re

import pytest
import yaml

from actors.pdf.blocks import Column
from actors.pdf.families import STYLES, families
from actors.pdf.flow import Item, paginated
from actors.pdf.linebreak import justified, ragged
from actors.pdf.prose import text_items
from actors.pdf.renderer import TEMPLATES
from actors.pdf.style import BODY, BODY_HEIGHT, GRID, MEASURE
from actors.pdf.tables import column_widths
from actors.pdf.words import PLAIN, clean, emphasis, hyphen_places, measured

PROSE = " ".join(
    text
    for path in sorted(TEMPLATES.glob("*/texts.yaml"))
    for text in re.findall(r"[^\n:>|{}\"]{40,}", yaml.safe_dump(yaml.safe_load(path.read_text("utf-8")), width=4000))
)


@pytest.mark.parametrize("style", STYLES)
def test_quick_shaping_equals_harfbuzz(style: str) -> None:
    """Given every word of the shipped texts, then advances and kerning pairs give what HarfBuzz gives."""
    face = families()[style].main
    for word in [*sorted(set(PROSE.split())), "AVATAR", "Ty", "fjord", "“Wah!”", "1.234,5", "L’Oréal"]:
        quick = face._simply_shaped(word)
        if quick is None:
            continue
        _, positions = face._shape(word, "ltr")
        assert quick.width == sum(round(position.x_advance * face.scale) for position in positions), word


def test_every_line_of_a_justified_paragraph_but_the_last_fills_the_measure() -> None:
    chunks = measured([(PROSE[:3000], PLAIN)], BODY)[0]
    lines = justified(chunks, MEASURE)
    assert len(lines) > 20
    for line in lines[:-1]:
        drawn = sum(chunk.width + chunk.space for chunk in line.chunks) - line.chunks[-1].space
        drawn += line.stretch * sum(1 for chunk in line.chunks[:-1] if chunk.space)
        assert drawn == pytest.approx(MEASURE, abs=0.05)
        assert line.stretch > -0.25 * 2.6
    assert sum(line.stretch > 2.6 for line in lines) <= 1


def test_no_word_is_lost_by_breaking_lines() -> None:
    words = PROSE[:4000].split()
    for broken in (justified(measured([(" ".join(words), PLAIN)], BODY)[0], 180), ragged(
        measured([(" ".join(words), PLAIN)], BODY)[0], 90)):  # fmt: skip
        said = ""
        for line in broken:
            said += "".join(chunk.text + (" " if chunk.space else "") for chunk in line.chunks)
            said = said[:-1] if said.endswith("-") and not line.chunks[-1].space else said.rstrip() + " "
        assert said.replace(" ", "").replace("-", "") == "".join(words).replace("-", "")


def test_names_are_not_hyphenated_and_stubs_are_not_made() -> None:
    assert hyphen_places("Wulandari") == ()
    for place in hyphen_places("kepribadian"):
        assert 3 <= place <= len("kepribadian") - 3


def test_emphasis_is_only_what_the_template_wrote() -> None:
    assert emphasis("a *b* **c** d") == [("a ", 0), ("b", 1), (" ", 0), ("c", 2), (" d", 0)]
    assert emphasis(r"2 \* 3 \\ 4") == [("2 * 3 \\ 4", 0)]
    assert clean("e\u0301\u200b\u202e") == "é"


def _block(height: float, keep: bool = False, **how: bool) -> Item:
    return Item(height, lambda *_: None, keep=keep, **how)


def test_a_heading_is_never_the_last_thing_on_a_page() -> None:
    items = [_block(GRID) for _ in range(46)] + [_block(GRID, keep=True)] + text_items(PROSE[:600], "body", MEASURE)
    pages = paginated(items)
    assert not pages[0].placed[-1][1].keep


@pytest.mark.parametrize("before", range(36, 47))
def test_no_line_of_a_paragraph_stands_alone(before: int) -> None:
    """Wherever a paragraph starts on the page, at least two of its lines are on either side of the break."""
    paragraph = text_items(PROSE[:900], "body", MEASURE)
    pages = paginated([_block(GRID) for _ in range(before)] + paragraph)
    if len(pages) > 1:
        first = sum(1 for _, item in pages[0].placed if item in paragraph)
        second = sum(1 for _, item in pages[1].placed if item in paragraph)
        assert first != 1
        assert second != 1


def test_a_table_head_returns_on_every_page() -> None:
    head = _block(2 * GRID, keep=True)
    rows = [_block(GRID) for _ in range(200)]
    for row in rows:
        row.repeated = (head,)
    pages = paginated([head, *rows])
    assert len(pages) == 5
    assert all(page.placed[0][1] is head for page in pages)
    assert sum(len(page.placed) for page in pages) == 200 + 5
    assert all(y + item.height <= BODY_HEIGHT + 0.01 for page in pages for y, item in page.placed)


def test_columns_share_the_measure() -> None:
    columns = [Column(title="a", cell="", width=0.5), Column(title="b", cell=""), Column(title="c", cell="")]
    assert column_widths(columns, 400) == pytest.approx([200, 100, 100])
