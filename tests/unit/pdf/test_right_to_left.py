"""Arabic stands as it is read: words from the right, marks and stops at their side, and it copies as it was typed."""

from __future__ import annotations

import pytest

from actors.pdf.drawing.prose import text_items, text_lines
from actors.pdf.renderer import PdfRenderer
from actors.pdf.style import A4, BODY
from actors.pdf.text.bidi import in_visual_order
from actors.pdf.text.linebreak import ragged
from actors.pdf.text.words import PLAIN, measured, right_to_left
from tests.unit.pdf.conftest import WatchedCanvas, copied, misplaced, request, sample

SENTENCE = "هذا نص طويل باللغة العربية لاختبار كيفية تقسيم الأسطر من اليمين إلى اليسار. "


def drawn(text: str) -> list[str]:
    """The runs of a line from left to right, each as it was typed; a space where one is drawn."""
    said: list[str] = []
    for piece in in_visual_order(ragged(measured([(text, PLAIN)], BODY)[0], A4.measure)[0]):
        said += [run.text for run in piece.runs]
        if piece.space:
            said.append(" ")
    return said


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("عبد-الرحمن", ["الرحمن", "-", "عبد"]),
        ("د. أحمد", ["أحمد", " ", ".", "د"]),
        ("أحمد 123 علي", ["علي", " ", "123", " ", "أحمد"]),
        ("محمد علي.", [".", "علي", " ", "محمد"]),
        ("علي ١٢٣", ["١٢٣", " ", "علي"]),
        ("Dr. أحمد علي, S.Psi.", ["Dr.", " ", "علي", " ", "أحمد", ",", " ", "S.Psi."]),
        ("علي B.Sc.", ["علي", " ", "B.Sc."]),
        ("Peserta أحمد 123 kali", ["Peserta", " ", "أحمد", " ", "123", " ", "kali"]),
        ("أحمد علي (25) hadir", ["علي", " ", "أحمد", " ", "(25)", " ", "hadir"]),
    ],
)
def test_a_line_is_drawn_in_reading_order(typed: str, expected: list[str]) -> None:
    assert drawn(typed) == expected


def test_brackets_open_towards_their_words() -> None:
    """Given brackets round an Arabic word, then the one at the right, drawn last, is the mirrored opening one."""
    line = text_lines("(محمد)", BODY, A4.measure)[0]
    left, *_, right = (run for piece in in_visual_order(line) for run in piece.runs)
    font = left.face._font
    opening, closing = ({font.get_nominal_glyph(ord(char))} for char in "()")
    assert (left.text, left.glyphs) == (")", opening)
    assert (right.text, right.glyphs) == ("(", closing)


@pytest.mark.parametrize("name", ["علاء", "لاختبار", "بلال", "مُحَمَّد", "الله", "مُحَمَّد علاء", "فاطِمة الزَّهراء"])
@pytest.mark.parametrize("product", ["profilKognitif", "minatBakatUmum"])
def test_ligatures_and_marks_can_be_copied_and_searched(renderer: PdfRenderer, name: str, product: str) -> None:
    report = sample(product)
    report["peserta"]["nama"] = name
    pdf = renderer.render(request(product, report))
    # Poppler 25 skips a letter that a ligature holds twice, unless it reads glyph by glyph, from left to right.
    assert name in copied(pdf) or name in copied(pdf, "-raw")[::-1]


def test_a_paragraph_starts_at_the_right(renderer: PdfRenderer, watched: type[WatchedCanvas]) -> None:
    """Given several lines, then each ends at the right edge, the short last one and list entries as well."""
    assert right_to_left("123 «علي»")
    assert not right_to_left("Dr. علي")
    assert not right_to_left("محمد عبد الرحمن paling tertarik pada bidang investigatif.")
    assert right_to_left(f"{SENTENCE} WISC-IV")
    items = text_items(SENTENCE * 4, "body", A4.measure)
    assert len(items) > 2
    assert items[0].indent == pytest.approx(0, abs=0.01)
    assert items[-1].indent > 20
    report = sample("minatBakatUmum")
    report["catatan"] = SENTENCE * 4
    renderer.render(request("minatBakatUmum", report))
    assert misplaced(watched.boxes) == []
    right = max(box.right for box in watched.boxes)
    arabic = [box for box in watched.boxes if right_to_left(box.text)]
    assert len(arabic) > 2
    assert all(box.right == pytest.approx(right, abs=0.1) for box in arabic)
