"""Whatever a report says appears as text: nothing in it is markup, template, operator or order."""

from __future__ import annotations

import io

import pytest
from pypdf import PdfReader

from actors.pdf.renderer import PdfRenderer
from tests.unit.pdf.conftest import copied, request, sample, text_of

HOSTILE = (
    "**Budi** *Santoso*",
    "{{ 7 * 7 }} {% for x in y %}",
    "{{ ''.__class__.__mro__ }}",
    "(Tj) ET Q /F1 99 Tf <</JS (app.alert)>>",
    "endstream endobj 1 0 obj",
    "</w:t><script>alert(1)</script>",
    r"\* garis \\ miring",
    "%s %d {0} $HOME `id`",
    "- bukan butir daftar",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_printed_as_it_is(renderer: PdfRenderer, name: str) -> None:
    report = sample("profilKepribadian")
    report["peserta"]["nama"] = name
    pdf = renderer.render(request("profilKepribadian", report))
    said = text_of(pdf).split("\n")
    assert any(name in line for line in said), said[:12]
    assert name in str(PdfReader(io.BytesIO(pdf)).metadata["/Title"])


def test_control_characters_become_visible(renderer: PdfRenderer) -> None:
    report = sample("profilKepribadian")
    report["peserta"]["nama"] = "Bu\x00di\x1b[2J San\x7ftoso"
    assert "Bu[U+0000]di[U+001B][2J San[U+007F]toso" in text_of(renderer.render(request("profilKepribadian", report)))


def test_half_a_surrogate_pair_does_not_break_the_file(renderer: PdfRenderer) -> None:
    """JSON may carry a lone surrogate: it is valid there and nowhere else."""
    report = sample("minatBakatUmum")
    report["peserta"]["nama"] = "Ayu \ud83d Lestari"
    report["minat"][0]["nama"] = "Realis\udc00tik"
    assert "Ayu [U+D83D] Lestari" in text_of(renderer.render(request("minatBakatUmum", report)))


def test_marks_that_turn_other_text_round_are_dropped(renderer: PdfRenderer) -> None:
    report = sample("profilKepribadian")
    report["peserta"]["nama"] = "Budi \u202eosotnaS\u202c \u2066x\u2069"
    assert "Budi osotnaS x" in text_of(renderer.render(request("profilKepribadian", report)))


def test_line_breaks_in_a_value_do_not_start_a_list(renderer: PdfRenderer) -> None:
    report = sample("minatBakatUmum")
    report["catatan"] = "Satu.\n\n- dua\n- tiga"
    said = text_of(renderer.render(request("minatBakatUmum", report)))
    assert "- dua" in said
    assert "- tiga" in said


@pytest.mark.parametrize(
    "name",
    ["محمد بن رشيد", "अनुष्का शर्मा", "ꦱꦸꦭꦠꦤ꧀", "ᬅᬬᬸ", "Đặng Thùy Trâm", "Αλέξανδρος", "Наталья Щукина"],
)
def test_names_in_many_scripts_are_drawn_and_can_be_copied(renderer: PdfRenderer, name: str) -> None:
    """No empty boxes: glyph 0 is never shown, and the words of the name can be searched for."""
    report = sample("profilKognitif")
    report["peserta"]["nama"] = name
    said = copied(renderer.render(request("profilKognitif", report)))
    for word in name.split():
        assert word in said
    assert "[U+" not in said


def test_a_script_without_a_font_is_reported_plainly() -> None:
    """Given a character no installed font has, then its number stands there, not an empty box."""
    renderer = PdfRenderer()
    report = sample("profilKognitif")
    report["peserta"]["nama"] = "Wu \U0001e900"
    assert "Wu [U+1E900]" in text_of(renderer.render(request("profilKognitif", report)))
