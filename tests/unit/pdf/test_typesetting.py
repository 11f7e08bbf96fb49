"""Faces, lines and pages: widths are right, spaces even, nothing stands alone."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import Any

import pytest
import yaml

from actors.pdf.drawing.prose import plain_lines, text_items
from actors.pdf.drawing.scales import Track
from actors.pdf.drawing.tables import column_widths
from actors.pdf.fonts.families import STYLES, families
from actors.pdf.fonts.font_file import SOFT_HYPHEN
from actors.pdf.page.canvas import Canvas, Ink
from actors.pdf.page.flow import Item, Place, paginated
from actors.pdf.product.blocks import Column
from actors.pdf.product.measure import Band, Scale, band_of
from actors.pdf.renderer import TEMPLATES, PdfRenderer
from actors.pdf.style import A4, BODY, FURNITURE, GRID
from actors.pdf.text.linebreak import SHRINK, STRETCH, Line, _Breaks, justified, ragged
from actors.pdf.text.words import PLAIN, clean, emphasis, hyphen_places, measured
from tests.people import people
from tests.unit.pdf.conftest import PRODUCTS, WatchedCanvas, request, sample

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
    lines = justified(chunks, A4.measure)
    assert len(lines) > 20
    for line in lines[:-1]:
        drawn = sum(chunk.width + chunk.space for chunk in line.chunks) - line.chunks[-1].space
        drawn += line.stretch * sum(1 for chunk in line.chunks[:-1] if chunk.space)
        assert drawn == pytest.approx(A4.measure, abs=0.05)
        assert line.stretch > -SHRINK * 2.6
    assert sum(line.stretch > 2.6 for line in lines) <= 1


def test_no_word_is_lost_by_breaking_lines() -> None:
    words = PROSE[:4000].split()
    for broken in (justified(measured([(" ".join(words), PLAIN)], BODY)[0], 180), ragged(
        measured([(" ".join(words), PLAIN)], BODY)[0], 90)):  # fmt: skip
        said = ""
        for line in broken:
            said += "".join(chunk.text + (" " if chunk.space else "") for chunk in line.chunks)
            said = said[:-1] if said.endswith(("-", SOFT_HYPHEN)) and not line.chunks[-1].space else said.rstrip() + " "
        assert said.replace(" ", "").replace("-", "") == "".join(words).replace("-", "")


def test_names_are_not_hyphenated_and_stubs_are_not_made() -> None:
    assert hyphen_places("Wulandari") == ()
    for place in hyphen_places("kepribadian"):
        assert 3 <= place <= len("kepribadian") - 3


@pytest.mark.parametrize(
    "word",
    [
        *("keenam-nya", "keempat", "seenak-nya", "trans-krip", "per-ubahan", "ber-olah-raga", "per-ubahan-nya"),
        *("abs-trak", "kon-struksi", "mon-ster", "kom-pleks", "kom-pleks-nya", "bang-krut", "meng-kla-rifi-kasi"),
        *("demon-strasi", "inspi-rasi", "impli-kasi", "trans-fer", "men-trans-fer", "eks-tra", "indus-tri", "ikh-las"),
        *("pen-di-dikan", "menya-ta-kan", "memi-liki", "ber-ikut", "pengi-ngat", "tanyakan", "jawab-an-nya"),
    ],
)
def test_words_are_divided_at_syllables_and_affixes(word: str) -> None:
    plain = word.replace("-", "")
    shown = plain
    for place in reversed(hyphen_places(plain)):
        shown = f"{shown[:place]}-{shown[place:]}"
    assert shown == word


def test_no_line_of_a_real_report_has_holes(renderer: PdfRenderer, watched: type[WatchedCanvas]) -> None:
    """A word space is 2.5 points; one stretched to more than twice its width and a half is a hole."""
    for product in PRODUCTS:
        renderer.render(request(product, sample(product)))
    for product, report in people(every=60):
        renderer.render(request(product, report))
    assert [box for box in watched.boxes if box.stretch > 3.8] == []
    assert max(box.stretch for box in watched.boxes) > 1.5


@pytest.mark.parametrize("product", PRODUCTS)
def test_no_page_but_the_last_is_nearly_empty(
    renderer: PdfRenderer, watched: type[WatchedCanvas], product: str
) -> None:
    renderer.render(request(product, sample(product)))
    last = max(box.page for box in watched.boxes)
    first = min(box.page for box in watched.boxes)
    for page in range(first + 1, last):
        foot = max(box.bottom for box in watched.boxes if box.page == page and box.bottom < A4.top + A4.body + 1)
        assert foot > A4.top + 0.45 * A4.body, page - first + 1


def test_the_answers_of_a_questionnaire_fill_one_page(renderer: PdfRenderer, watched: type[WatchedCanvas]) -> None:
    renderer.render(request("profilKepribadian", sample("profilKepribadian")))
    rows = [box for box in watched.boxes if "(terbalik)" in box.text]
    assert len(rows) > 5
    assert len({box.page for box in rows}) == 1
    assert "kosong (terbalik)" in {box.text for box in rows}


def strings(node: Any) -> list[str]:
    """Every text of a YAML file."""
    if isinstance(node, str):
        return [node]
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [text for value in inner for text in strings(value)]


PARAGRAPHS = [
    " ".join(part.split())
    for path in sorted(TEMPLATES.glob("*/texts.yaml"))
    for text in strings(yaml.safe_load(path.read_text("utf-8")))
    for part in re.split(r"\n\s*\n", text)
    if len(part) > 180 and "{" not in part
]


def ratios(lines: list[Line]) -> list[float]:
    """How far the spaces of each line but the last are stretched (above 0) or shrunk (below 0), of what they may be."""
    space = next(chunk.space for chunk in lines[0].chunks if chunk.space)
    return [line.stretch / (space * (STRETCH if line.stretch > 0 else SHRINK)) for line in lines[:-1]]


def words_of(line: Line) -> int:
    return sum(1 for chunk in line.chunks[:-1] if chunk.space) + 1


def ugly(lines: list[Line]) -> bool:
    """A tight line beside a loose one, or a word alone on the last line."""
    uneven = any(min(pair) < -0.5 and max(pair) > 0.5 for pair in pairwise(ratios(lines)))
    return uneven or words_of(lines[-1]) == 1


def test_no_tight_line_stands_beside_a_loose_one_and_no_word_alone_where_a_paragraph_allows_it() -> None:
    assert len(PARAGRAPHS) > 25
    found = []
    for text in PARAGRAPHS:
        chunks = measured([(text, PLAIN)], BODY)[0]
        for measure in range(round(A4.measure) - 60, round(A4.measure) + 1, 10):
            if ugly(justified(chunks, measure)):
                found.append(text)
                assert _Breaks(chunks, hyphenate=True).best(measure, 2.6, float("inf")) is None, "there was another way"
    assert len(found) < len(PARAGRAPHS) * 7 / 10


def test_a_word_stands_alone_in_a_narrow_column_only_where_the_line_above_has_none_to_spare() -> None:
    for text in PARAGRAPHS:
        for measure in (190, 160):
            *_, above, last = ragged(measured([(text, PLAIN)], BODY)[0], measure)
            alone = words_of(last) == 1
            assert not alone or words_of(above) < 3 or above.chunks[-1].width + last.width > measure - 3, text


def test_a_ragged_last_line_gets_company_and_its_lines_keep_their_width() -> None:
    lines = ragged(measured([("satu dua tiga empat lima keberanian", PLAIN)], BODY)[0], 112)
    said = [" ".join(chunk.text for chunk in line.chunks) for line in lines]
    assert said[-1].split() == ["lima", "keberanian"]
    for line in lines:
        assert line.width == pytest.approx(sum(c.width + c.space for c in line.chunks) - line.chunks[-1].space)


@pytest.mark.parametrize(
    "code",
    [
        *(
            "1173-25-2-4",
            "2024-2025",
            "0812-3456-7890",
            "12/10/2026",
            "Rp1.250.000,00",
            "85–115",
            "SIPP-HIMPSI-JAKARTA",
        ),
        *(
            "ISO/IEC",
            "kelas10-pengulangan",
            "surel@contoh-panjang.co.id",
            "https://contoh.id/keterangan2026",
            "a1b2c3d4e5f6",
        ),
    ],
)
def test_numbers_and_codes_are_never_broken(code: str) -> None:
    for count in range(1, 30):
        text = f"{'kata ' * count}{code} dan seterusnya sampai pada akhir kalimat yang panjang ini"
        for lines in (
            justified(measured([(text, PLAIN)], BODY)[0], 300),
            ragged(measured([(text, PLAIN)], BODY)[0], 200),
        ):
            assert any(code in "".join(chunk.text for chunk in line.chunks) for line in lines), count


def test_a_line_may_end_at_every_unicode_space_but_the_hard_ones() -> None:
    spaces = [char for number in range(0x10000) if unicodedata.category(char := chr(number)) == "Zs"]
    assert len(spaces) == 17
    for char in spaces:
        lines = ragged(measured([(f"kata{char}kata", PLAIN)], BODY)[0], 30, hyphenate=False)
        hard = char in "\u00a0\u2007\u202f"
        assert (len({chunk.space > 0 for line in lines for chunk in line.chunks if "kata" in chunk.text}) == 2) != hard


def test_a_list_has_air_between_its_entries() -> None:
    items = text_items("- satu\n- dua\n- tiga", "body", A4.measure)
    assert [item.before > 0 for item in items] == [True, True, True]
    assert sum(item.height + item.before for item in items) % (GRID / 2) == pytest.approx(0)


def test_a_long_word_is_shortened_not_left_out() -> None:
    """Given a header whose name is one long word, then as much of it stands there as fits."""
    line = plain_lines(f"Profil Kepribadian · {'W' * 300}", FURNITURE, A4.measure, 1)[0]
    said = "".join(chunk.text + (" " if chunk.space else "") for chunk in line.chunks)
    assert said.startswith("Profil Kepribadian · WWWWWWWW")
    assert said.endswith("W…")
    assert 0.95 * A4.measure < line.width <= A4.measure
    whole = plain_lines("Satu dua tiga empat", FURNITURE, 48, 1)[0]
    assert [chunk.text for chunk in whole.chunks] == ["Satu", "dua", "…"]


T_SCALE = Scale(low=20, high=80, decimals=1, bands=[Band(upto=35, label="a"), Band(upto=80, label="b")])


@pytest.mark.parametrize(("score", "band"), [(35, 0), (35.04, 0), (35.06, 1), (20, 0), (99, 1)])
def test_a_score_belongs_to_the_band_of_its_printed_value(score: float, band: int) -> None:
    assert band_of(T_SCALE, score)[0] == band


def test_the_lightest_band_has_an_edge() -> None:
    """On white paper it would not be seen."""
    canvas = Canvas(Ink())
    place = Place(None, canvas, 1, 1, {})  # type: ignore[arg-type]
    Track(place, T_SCALE, 100, 200).bands(100, 14)
    assert b"re S" in canvas.content()


def test_a_legend_gives_each_value_one_band(renderer: PdfRenderer, watched: type[WatchedCanvas]) -> None:
    renderer.render(request("profilKognitif", sample("profilKognitif")))
    said = [box.text for box in watched.boxes]
    for entry in ("Rendah s.d. 84", "Rata-rata s.d. 115", "Tinggi > 115"):
        assert entry in said


def test_emphasis_is_only_what_the_template_wrote() -> None:
    assert emphasis("a *b* **c** d") == [("a ", 0), ("b", 1), (" ", 0), ("c", 2), (" d", 0)]
    assert emphasis(r"2 \* 3 \\ 4") == [("2 * 3 \\ 4", 0)]
    assert clean("e\u0301\u200b\u202e") == "é"


def _block(height: float, keep: bool = False, **how: bool) -> Item:
    return Item(height, lambda *_: None, keep=keep, **how)


def test_a_heading_is_never_the_last_thing_on_a_page() -> None:
    items = [_block(GRID) for _ in range(46)] + [_block(GRID, keep=True)] + text_items(PROSE[:600], "body", A4.measure)
    pages = paginated(items)
    assert not pages[0].placed[-1][1].keep


@pytest.mark.parametrize("before", range(36, 47))
def test_no_line_of_a_paragraph_stands_alone(before: int) -> None:
    """Wherever a paragraph starts on the page, at least two of its lines are on either side of the break."""
    paragraph = text_items(PROSE[:900], "body", A4.measure)
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
    assert all(y + item.height <= A4.body + 0.01 for page in pages for y, item in page.placed)


def test_columns_share_the_measure() -> None:
    columns = [Column(title="a", cell="", width=0.5), Column(title="b", cell=""), Column(title="c", cell="")]
    assert column_widths(columns, 400) == pytest.approx([200, 100, 100])
