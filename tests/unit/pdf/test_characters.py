"""Symbols have faces, the minus sign has that of its text, what has no ink is not printed, and tall scripts have room."""

from __future__ import annotations

import unicodedata

import pytest

from actors.pdf.drawing.prose import text_items
from actors.pdf.fonts.families import STYLES, families
from actors.pdf.renderer import PdfRenderer
from actors.pdf.style import A4, BODY, LEAD
from actors.pdf.text.words import PLAIN, clean, measured, one_line
from tests.unit.pdf.conftest import copied, request, sample

SYMBOLS = "− ≤ ≥ ≠ ≈ ± × ÷ → ← ↑ ↓ ↔ ⇒ ✓ ✔ ✗ ☐ ☑ ☒ ∞ √ ∑ ∏ ∫ ∂ ∆ ∈ ∅ ∩ ∪ ⊂ ∀ ∃ ∴ ■ □ ▲ ● ○ ◆ ★ ☆ ♀ ♂ ① ⑳ ☎ ❶ ➔"


def test_symbols_are_drawn_and_can_be_copied(renderer: PdfRenderer) -> None:
    report = sample("minatBakatUmum") | {"catatan": SYMBOLS}
    said = copied(renderer.render(request("minatBakatUmum", report)))
    assert [symbol for symbol in SYMBOLS.split() if symbol not in said] == []
    assert "[U+" not in said


@pytest.mark.parametrize("style", STYLES)
def test_the_minus_sign_has_the_face_and_the_width_of_its_digits(style: str) -> None:
    (run,) = families()[style].runs("−12,5")
    minus, plus, digits = (families()[style].runs(text)[0] for text in ("−", "+", "1"))
    assert run.face is families()[style].main
    assert minus.width == plus.width
    assert abs(minus.width - digits.width) < 25
    assert not run.actual


IGNORABLE = (  # Unicode 15, DerivedCoreProperties: Default_Ignorable_Code_Point, without the joiners
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x200B, 0x200E, 0x200F),
    *(*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0),
    *(*range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)),
)


def test_what_has_no_ink_is_never_printed(renderer: PdfRenderer) -> None:
    assert [hex(code) for code in IGNORABLE if clean(f"a{chr(code)}b") != "ab"] == []
    report = sample("profilKognitif")
    report["peserta"]["nama"] = "Ayu" + "".join(map(chr, IGNORABLE[::40])) + " \u200d\u200c Dewi"
    said = copied(renderer.render(request("profilKognitif", report)))
    assert "[U+" not in said
    assert one_line(report["peserta"]["nama"]).startswith("Ayu \u200d")


@pytest.mark.parametrize("space", [chr(code) for code in range(0x3001) if unicodedata.category(chr(code)) == "Zs"])
def test_a_line_may_end_at_every_space_but_those_that_forbid_it(space: str) -> None:
    (line,) = measured([(f"satu{space}dua", PLAIN)], BODY)
    assert len(line) == (1 if space in "\u00a0\u2007\u202f" else 2)


def ink(text: str, size: float) -> tuple[float, float]:
    """How far a word reaches above and below its baseline, in points."""
    above = below = 0.0
    for run in families()["body"].long_runs(text):
        face, scale = run.face, run.face.scale * run.face.zoom * size / 1000
        for info, position in zip(*face._shape(run.text, None), strict=True):
            if extents := face._font.get_glyph_extents(info.codepoint):
                top = extents.y_bearing + position.y_offset
                above, below = max(above, top * scale), max(below, -(top + extents.height) * scale)
    return above, below


@pytest.mark.parametrize("word", ["ꦲꦩꦼꦁꦏꦸꦧꦸꦮꦤ", "ꦱ꧀ꦠꦿꦶ", "ᬓᬢᬸᬢ᭄ᬲᬹᬃᬬ", "अर्जुन", "Ágapito"])
@pytest.mark.parametrize(("style", "size"), [("body", BODY.size), ("lead", LEAD.size)])
def test_lines_of_a_tall_script_clear_each_other(word: str, style: str, size: float) -> None:
    items = text_items(" ".join([word] * 120), style, A4.measure)
    assert len(items) > 2
    above, below = ink(word, size)
    assert items[1].height > above + below
    latin = text_items("kata " * 200, style, A4.measure)
    assert (items[1].height > latin[1].height) == (unicodedata.name(word[0]).split()[0] in ("JAVANESE", "BALINESE"))
