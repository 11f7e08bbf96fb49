"""QR codes, signatures, rules and white space: drawn as shapes, told to those who cannot see them, kept together."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
import segno
from PIL import Image
from pypdf import PdfReader

from actors.pdf.drawing.marks import QR_BYTES, QUIET_ZONE, spacer_item
from actors.pdf.drawing.prose import text_items
from actors.pdf.page.flow import Item, paginated
from actors.pdf.style import A4, GRID
from tests.unit.pdf.conftest import WatchedCanvas, copied, request
from tests.unit.pdf.test_pictures import coded, png
from tests.unit.pdf.test_tags import elements, named
from tests.unit.pdf.test_templates import GOOD, error_of, product

QR = '  - {block: qr, content: "{{ tautan }}", alternative: "Menuju {{ tautan }}", width: 0.5}\n'
LINK = "https://laporan.example.com/p/01JD?a=*b*&c=_d_"
SIGNED = """\
  - block: signature
    place: "{{ kota }}"
    date: "{{ hari | tanggal }}"
    picture: {data: tanda, alternative: "Tanda tangan {{ nama }}"}
    name: "{{ nama }}"
    licence: "SIPP 12"
"""
PERSON: dict[str, Any] = {"nama": "Ayu Lestari", "kota": "Solo", "hari": "2026-10-12", "tanda": None}


def test_a_qr_code_is_that_of_its_content_and_sharp(tmp_path: Path) -> None:
    """Read square by square from the drawn page; between the rows of a dark stretch there is no seam."""
    pdf = product(tmp_path, GOOD + QR).render(request("uji", {"nama": "Ayu", "tautan": LINK}))
    assert not PdfReader(io.BytesIO(pdf)).pages[0].images
    done = subprocess.run(
        ["pdftoppm", "-r", "288", "-gray", "-"], input=pdf, capture_output=True, check=True, timeout=60
    )
    page = Image.open(io.BytesIO(done.stdout))
    lower = page.crop((0, round(page.height * 0.2), page.width, round(page.height * 0.88)))
    box = lower.point(lambda value: 255 * (value < 128)).getbbox()
    assert box is not None
    matrix = segno.make(LINK, error="m", micro=False).matrix
    size = (box[2] - box[0]) / len(matrix)
    dark = [
        [lower.getpixel((box[0] + (x + 0.5) * size, box[1] + (y + 0.5) * size)) < 128 for x in range(len(matrix))]  # type: ignore[operator]
        for y in range(len(matrix))
    ]
    assert dark == [[bool(square) for square in row] for row in matrix]
    assert size * (len(matrix) + 2 * QUIET_ZONE) / 4 == pytest.approx(A4.measure / 2, rel=0.01)
    finder = lower.crop((box[0] + 1, box[1] + 1, round(box[0] + size - 1), round(box[1] + 7 * size - 1)))
    assert max(finder.get_flattened_data()) < 60


def test_a_qr_code_says_what_it_is(tmp_path: Path) -> None:
    pdf = product(tmp_path, GOOD + QR).render(request("uji", {"nama": "Ayu", "tautan": LINK}))
    (figure,) = named(PdfReader(io.BytesIO(pdf)), "/Figure")
    assert figure["/Alt"] == f"Menuju {LINK}"


def test_a_qr_code_of_nothing_is_left_out_and_one_of_too_much_is_wrong_data(tmp_path: Path) -> None:
    renderer = product(tmp_path, GOOD + QR)
    assert not named(PdfReader(io.BytesIO(renderer.render(request("uji", {"nama": "A", "tautan": " "})))), "/Figure")
    assert renderer.render(request("uji", {"nama": "A", "tautan": "é" * (QR_BYTES // 2)}))
    error = error_of(renderer, {"nama": "A", "tautan": "é" * (QR_BYTES // 2) + "a"})
    assert error.code == "invalid_data"
    assert "{{ tautan }} has more than 600 bytes for a QR code" in error.detail


@pytest.mark.parametrize(
    "content", ["0123456789" * 60, "A" * 600, "点" * 200, "\x00\x01", "😀" * 150, "a\nb", "\ud83d"]
)
def test_any_content_becomes_a_code(tmp_path: Path, content: str) -> None:
    assert product(tmp_path, GOOD + QR).render(request("uji", {"nama": "A", "tautan": content}))


def test_a_signature_says_where_when_and_whose(tmp_path: Path) -> None:
    renderer = product(tmp_path, GOOD + SIGNED)
    pdf = renderer.render(request("uji", PERSON | {"tanda": coded(png((300, 100)))}))
    said = copied(pdf)
    assert "Solo, 12 Oktober 2026\n" in said
    assert "Ayu Lestari\nSIPP 12" in said
    found = [(e["/S"], e.get("/Alt")) for e in elements(PdfReader(io.BytesIO(pdf))) if e["/S"] in ("/P", "/Figure")]
    assert found[-3:] == [("/P", None), ("/Figure", "Tanda tangan Ayu Lestari"), ("/P", None)]


@pytest.mark.parametrize(
    ("kota", "hari", "first"), [("Solo", "", "Solo"), ("", "2026-10-12", "12 Oktober"), ("", "", "")]
)
def test_what_a_signature_lacks_leaves_no_comma(tmp_path: Path, kota: str, hari: str, first: str) -> None:
    said = copied(product(tmp_path, GOOD + SIGNED).render(request("uji", PERSON | {"kota": kota, "hari": hari})))
    assert first in said
    assert "," not in said


@pytest.mark.parametrize("lines", range(30, 50))
def test_a_signature_stands_below_three_lines_of_text(tmp_path: Path, watched: type[WatchedCanvas], lines: int) -> None:
    text = "  - block: text\n    text: |\n" + "\n".join(f"      baris {n}\n" for n in range(lines))
    product(tmp_path, GOOD + text + SIGNED).render(request("uji", PERSON))
    page = next(box.page for box in watched.boxes if "Solo" in box.text)
    above = [box for box in watched.boxes if box.page == page and "baris" in box.text]
    assert len(above) >= 3
    assert {box.page for box in watched.boxes if "Lestari" in box.text and "SIPP" not in box.text} >= {page}


def test_white_space_is_left_out_at_the_head_of_a_page() -> None:
    def feet(count: int) -> list[float]:
        lines = [Item(GRID, lambda *_: None) for _ in range(count)]
        return [
            page.placed[-1][0] for page in paginated([*lines, spacer_item(5), *text_items("a", "body", A4.measure)])
        ]

    assert feet(20) == [26 * GRID - GRID + GRID / 2]
    assert feet(A4.lines)[-1] <= 10 * GRID


def test_a_rule_is_drawn_and_not_read_out(tmp_path: Path) -> None:
    one = product(tmp_path).render(request("uji", {"nama": "Ayu"}))
    two = product(tmp_path, GOOD + "  - {block: rule}\n").render(request("uji", {"nama": "Ayu"}))
    first, second = (list(elements(PdfReader(io.BytesIO(pdf)))) for pdf in (one, two))
    assert len(first) == len(second)
    assert len(two) > len(one)
