"""What a report costs grows with its data and not with the square of it, whatever is written and wherever it stands."""

from __future__ import annotations

import cProfile
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors.pdf import filling
from actors.pdf.drawing.prose import text_items
from actors.pdf.filling import MOST_PAGES
from actors.pdf.renderer import PdfRenderer
from actors.pdf.style import A4
from actors.pdf.text.words import clean
from ops.bench.render_growth import EMPTY, TEMPLATES, TEXTS, cases, data_of
from schema.errors import Permanent
from tests.unit.pdf.conftest import request, text_of

GROWING = PdfRenderer((TEMPLATES,))
SIZE = 2_500  # Bytes, later doubled.
STEP = 30_000  # The first text of a second line, page or portion may cost so many calls.
# Every kind of text in a note, and Arabic in every other place.
CASES = {
    name: (place, kind) for name, place, kind in cases() if " in " not in name or name.startswith(("arabic", "one"))
}
PAUSE = 0.02  # seconds added to both of two times, so that nothing is read from less


def draw(data: dict[str, Any]) -> bytes:
    return GROWING.render(request("pertumbuhan", EMPTY | data))


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, in Python and by it: work that no busy machine changes."""
    work()  # what is read and remembered once is not counted
    with cProfile.Profile() as counting:
        work()
    return sum(entry.callcount for entry in counting.getstats())


def growth(work: Callable[[int], object], size: int) -> float:
    """What twice the size takes of the time of the size, the best of three; for work that calls nothing."""

    def best(size: int) -> float:
        times = []
        for _ in range(3):
            began = time.process_time()
            work(size)
            times.append(time.process_time() - began)
        return min(times) + PAUSE

    return best(2 * size) / best(size)


def folder_of(tmp_path: Path, template: str, schema: dict[str, Any]) -> PdfRenderer:
    """A renderer that knows the product `uji`."""
    product = tmp_path / "uji"
    product.mkdir()
    (product / "template.yaml").write_text('title: "Uji"\nsubject: "Uji"\n' + template, "utf-8")
    (product / "schema.json").write_text(json.dumps(schema), "utf-8")
    return PdfRenderer((tmp_path,))


@pytest.fixture(scope="module")
def nothing() -> int:
    """What a report without data costs."""
    return calls(partial(draw, {}))


@pytest.mark.parametrize(("place", "kind"), CASES.values(), ids=CASES)
def test_twice_the_data_is_twice_the_work(nothing: int, place: str, kind: str) -> None:
    once, twice = (calls(partial(draw, data_of(place, TEXTS[kind], n * SIZE))) for n in (1, 2))
    assert twice - nothing < 2.4 * (once - nothing) + STEP


def test_marks_on_one_letter_are_not_sorted_for_ever() -> None:
    assert growth(lambda size: clean("a" + "\u0301" * size + "\u0323" * size), 5_000) < 3


def test_a_letter_keeps_thirty_marks_and_the_next_one_has_its_own() -> None:
    tower = "\u0323" * 100
    assert clean(f"q{tower}w\u0323x") == "q" + "\u0323" * 30 + "ẉx"
    assert clean("q" + "\u0323\u200b" * 100) == "q" + "\u0323" * 30, "what is dropped lies between no marks"
    assert clean("👍🏽" * 50) == "👍🏽" * 50, "signs are no marks"


def test_spaces_in_a_list_are_not_looked_at_again_from_each_of_them() -> None:
    assert growth(lambda size: text_items("- a" + " " * size + "b\n- c", "body", A4.measure), 5_000) < 3


def test_what_stands_on_every_page_is_set_once() -> None:
    """Given a long header, then it costs no more on sixteen pages than on four."""

    def header(pages: int) -> int:
        data = {"alinea": ["kata " * 600] * pages}
        return calls(lambda: draw(data | {"kepala": "مح" * 900})) - calls(lambda: draw(data))

    assert header(16) < 1.5 * header(4)


def test_a_chart_does_not_repeat_a_long_title_with_each_of_its_parts() -> None:
    entries = {name: ["x"] * 300 for name in ("batang", "kutub")}
    assert len(draw(entries | {"sumbu": "judul " * 4_000})) < len(draw(entries)) + 500_000


def test_data_that_no_template_names_is_not_copied_for_each_row() -> None:
    rows = {"baris": ["x"] * 500}
    unnamed = {f"k{number}": 0 for number in range(30_000)}
    draw(rows)
    assert growth(lambda size: draw(rows | (unnamed if size > 1 else {})), 1) < 3


ON_NEW_PAGES = "blocks: [{block: each, items: d, each: x, blocks: [{block: heading, new_page: true, text: '{{ x }}'}]}]"


def test_a_report_of_more_pages_than_anybody_reads_is_refused(tmp_path: Path) -> None:
    refused_for_its_pages(tmp_path, ON_NEW_PAGES, ["a"] * (MOST_PAGES + 1), "1,000")


@pytest.mark.parametrize(
    ("template", "data"),
    [
        ("blocks: [{block: each, items: d, each: x, blocks: [{block: heading, text: '{{ x }}'}]}]", ["a"] * 2_000),
        (ON_NEW_PAGES, ["a"] * 21),
        (
            "blocks: [{block: each, items: d, each: x, blocks: [{block: page_break}, {block: text, text: '{{ x }}'}]}]",
            ["a"] * 21,
        ),
        ("blocks: [{block: table, rows: d, each: x, columns: [{title: T, cell: '{{ x }}'}]}]", ["a"] * 6_000),
        (
            "blocks: [{block: columns, share: 0.2, left: [{block: text, text: '{{ d[0] }}'}], right: []}]",
            ["a\u2028" * 2_000],
        ),
    ],
    ids=["headings", "new pages", "page breaks", "rows", "narrow column"],
)
def test_pages_are_counted_whatever_fills_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str, data: list[str]
) -> None:
    monkeypatch.setattr(filling, "MOST_PAGES", 20)
    refused_for_its_pages(tmp_path, template, data, "20")


def refused_for_its_pages(folder: Path, template: str, data: list[str], most: str) -> None:
    renderer = folder_of(folder, template, {"type": "object"})
    with pytest.raises(Permanent, match=rf"it fills more than {most} pages\. Shorten its texts or lists") as refused:
        renderer.render(request("uji", {"d": data}))
    assert refused.value.code == "invalid_data"


@pytest.mark.parametrize(
    ("values", "unique"),
    [
        ([1, True, 0, False, "1", None], True),
        ([1, 1.0], False),
        ([{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}], False),
        ([{"a": 1}, {"a": True}, [1], [True], ["a", 1]], True),
        ([[1, [2]], [1, [2]]], False),
    ],
)
def test_equal_elements_are_found_as_json_schema_calls_them_equal(
    tmp_path: Path, values: list[Any], unique: bool
) -> None:
    schema = {"properties": {"d": {"type": "array", "uniqueItems": True}}}
    renderer = folder_of(tmp_path, "blocks: [{block: text, text: '{{ d | length }} unsur'}]", schema)
    if unique:
        assert f"{len(values)} unsur" in text_of(renderer.render(request("uji", {"d": values})))
    else:
        with pytest.raises(Permanent, match="two elements of the list are equal"):
            renderer.render(request("uji", {"d": values}))


@pytest.mark.parametrize(
    ("rule", "many"),
    [
        ({"properties": {"d": {"uniqueItems": True}}}, lambda size: [{"a": n} for n in range(size)]),
        ({"properties": {"d": {"x-unique": "a"}}}, lambda size: [{"a": n} for n in range(size)]),
        (
            {"properties": {"d": {"unevaluatedProperties": False, "patternProperties": {"^k": True}}}},
            lambda size: {f"k{n}": n for n in range(size)},
        ),
        (
            {"properties": {"d": {"unevaluatedItems": False, "contains": {"type": "integer"}}}},
            lambda size: list(range(size)),
        ),
    ],
    ids=["unique items", "unique field", "unevaluated properties", "unevaluated items"],
)
def test_checking_the_data_takes_no_square_of_it(
    tmp_path: Path, rule: dict[str, Any], many: Callable[[int], Any]
) -> None:
    template = folder_of(tmp_path, "blocks: [{block: text, text: 'a'}]", rule).template("uji")
    assert growth(lambda size: template.checked({"d": many(size)}), 4_000) < 3


def test_what_no_part_of_a_schema_knows_is_still_refused(tmp_path: Path) -> None:
    rule = {"properties": {"a": True}, "unevaluatedProperties": False, "allOf": [{"properties": {"b": True}}]}
    template = folder_of(tmp_path, "blocks: [{block: text, text: 'x'}]", rule).template("uji")
    template.checked({"a": 1, "b": 2})
    with pytest.raises(Permanent, match="unevaluated properties are not allowed: c"):
        template.checked({"a": 1, "b": 2, "c": 3})
