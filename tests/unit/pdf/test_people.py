"""Real people's answers become reports: scored rightly, blanks shown as blanks."""

from __future__ import annotations

from actors.pdf.renderer import PdfRenderer
from tests.people import BIG_FIVE, COGNITIVE, big_five, table, trait_mean
from tests.unit.pdf.conftest import Crowd, request, text_of


def test_the_data_are_whole() -> None:
    assert len(table("bfi")) == 2800
    assert len(table("ability")) == 1525


def test_reversed_items_are_turned_round_and_blanks_left_out() -> None:
    row = table("bfi")[0]  # A1..A5 = 2 4 3 4 4, A1 reversed: (5 + 4 + 3 + 4 + 4) / 5
    assert trait_mean(row, "A") == (4.0, 5)
    assert trait_mean(row | {"A1": "NA", "A2": ""}, "A") == (11 / 3, 3)
    assert trait_mean(row | {"A1": "NA", "A2": "", "A3": "NA"}, "A") == (None, 2)


def test_a_trait_with_too_few_answers_is_reported_as_not_computed(renderer: PdfRenderer) -> None:
    blank = table("bfi")[0] | dict.fromkeys(("E1", "E2", "E3"), "")
    product, report = big_five(0, blank)
    text = text_of(renderer.render(request(product, report)))
    assert "hanya 2 dari 5 pernyataan" in text
    assert "kosong" in text


def test_every_fortieth_person_gets_a_report(crowd: Crowd) -> None:
    """All of them are drawn by `python -m tests.people`."""
    assert crowd.drawn == {BIG_FIVE: 70, COGNITIVE: 39}
