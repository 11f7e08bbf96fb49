"""The reference report by plain fpdf2, the way its documentation shows: add_font, multi_cell, table."""

import math
from datetime import UTC, datetime
from typing import Any

from fpdf import FPDF

from actors.pdf import style as s
from actors.pdf.fonts.font_file import FONTS

BANDS = [tuple(round(part * 255) for part in tone) for tone in s.BANDS[:4]]
DEEP = tuple(round(part * 255) for part in s.DEEP)
QUIET = tuple(round(part * 255) for part in s.QUIET)


class Report(FPDF):
    """Furniture by fpdf2's own hooks."""

    name = number = ""

    def header(self) -> None:
        if self.page_no() > 1:
            self.set_font("serif", size=7.4)
            self.set_text_color(*QUIET)
            self.set_xy(s.A4.left, 50)
            self.cell(text=f"Laporan acuan · {self.name}")
            self.line(s.A4.left, 64, s.A4.left + s.A4.measure, 64)
            self.set_xy(s.A4.left, s.A4.top)

    def footer(self) -> None:
        if self.page_no() > 1:
            self.set_font("serif", size=7.4)
            self.set_text_color(*QUIET)
            self.set_xy(s.A4.left, s.A4.height - 60)
            self.cell(w=s.A4.measure / 2, text=self.number)
            self.cell(w=s.A4.measure / 2, text=f"Halaman {self.page_no()} dari {{nb}}", align="R")


def render(report: dict[str, Any]) -> bytes:
    """The PDF."""
    pdf = Report(unit="pt", format=(s.A4.width, s.A4.height))
    pdf.name, pdf.number = report["nama"], report["nomor"]
    pdf.set_margins(s.A4.left, s.A4.top)
    pdf.set_auto_page_break(True, s.A4.height - s.A4.bottom)
    pdf.add_font("serif", fname=FONTS / "NotoSerif-Regular.ttf")
    pdf.add_font("sans", fname=FONTS / "NotoSans-Bold.ttf")
    pdf.set_title(f"Laporan acuan – {report['nama']}")
    pdf.set_author("Biro acuan")
    pdf.set_subject("Laporan acuan untuk pengukuran")
    pdf.set_lang("id")
    pdf.set_creation_date(datetime(2026, 11, 23, tzinfo=UTC))
    pdf.add_page()
    pdf.set_fill_color(*DEEP)
    pdf.rect(0, 0, s.A4.width, 378, style="F")
    _line(pdf, "sans", 31, 280, "Laporan Acuan", (255, 255, 255))
    _line(pdf, "serif", 22, 420, report["nama"], (0, 0, 0))
    _line(pdf, "serif", 9.8, 460, f"{report['nomor']} · 23 November 2026", (0, 0, 0))
    for part in report["bagian"]:
        pdf.add_page()
        pdf.start_section(part["judul"])
        _line(pdf, "sans", 17.5, s.A4.top, part["judul"], DEEP)
        pdf.set_xy(s.A4.left, s.A4.top + 35)
        pdf.set_text_color(0)
        for paragraph in part["alinea"]:
            pdf.set_font("serif", size=9.8)
            pdf.multi_cell(s.A4.measure, 14, paragraph, align="J", new_x="LMARGIN", new_y="NEXT")
            pdf.ln(7)
        if part["isi"] == "radar":
            _radar(pdf, report["minat"])
        elif part["isi"] == "batang":
            _bars(pdf, report["minat"])
        elif part["isi"] == "tabel":
            _table(pdf, report["butir"])
    return bytes(pdf.output())


def _line(pdf: FPDF, font: str, size: float, y: float, text: str, colour: tuple[int, ...]) -> None:
    pdf.set_font(font, size=size)
    pdf.set_text_color(*colour)
    pdf.set_xy(s.A4.left, y)
    pdf.cell(text=text)


def _radar(pdf: FPDF, data: list[dict[str, Any]]) -> None:
    count, radius = len(data), 85.0
    x, y = s.A4.left + s.A4.measure / 2, pdf.get_y() + 120
    angles = [-math.pi / 2 + 2 * math.pi * place / count for place in range(count)]

    def ring(parts: list[float], style: str) -> None:
        ends = zip(angles, parts, strict=True)
        pdf.polygon([(x + radius * p * math.cos(a), y + radius * p * math.sin(a)) for a, p in ends], style=style)

    for part, tone in zip((1.0, 0.8, 0.6, 0.4), reversed(BANDS), strict=True):
        pdf.set_fill_color(*tone)
        ring([part] * count, "DF")
    for angle in angles:
        pdf.line(x, y, x + radius * math.cos(angle), y + radius * math.sin(angle))
    ring([datum["skor"] / 100 for datum in data], "D")
    pdf.set_fill_color(*DEEP)
    for angle, datum in zip(angles, data, strict=True):
        part = radius * datum["skor"] / 100
        pdf.circle(x + part * math.cos(angle), y + part * math.sin(angle), 3, style="F")
        pdf.set_font("sans", size=8.2)
        pdf.set_xy(x + (radius + 18) * math.cos(angle) - 40, y + (radius + 18) * math.sin(angle) - 10)
        pdf.cell(80, 10, datum["nama"], align="C", new_x="LEFT", new_y="NEXT")
        pdf.set_font("serif", size=8.2)
        pdf.cell(80, 10, str(datum["skor"]), align="C")


def _bars(pdf: FPDF, data: list[dict[str, Any]]) -> None:
    left, track, y = s.A4.left + s.A4.measure * 0.33 + 8, s.A4.measure * 0.67 - 42, pdf.get_y() + 14
    for datum in data:
        pdf.set_font("sans", size=8.2)
        pdf.set_xy(s.A4.left, y)
        pdf.cell(100, 14, datum["nama"])
        start = 0.0
        for end, tone in zip((0.4, 0.6, 0.8, 1.0), BANDS, strict=True):
            pdf.set_fill_color(*tone)
            pdf.rect(left + start * track, y, (end - start) * track - 0.8, 14, style="F")
            start = end
        pdf.set_fill_color(*DEEP)
        pdf.rect(left, y + 4, datum["skor"] / 100 * track, 6.4, style="F")
        pdf.set_xy(left + track, y)
        pdf.cell(34, 14, str(datum["skor"]), align="R")
        y += 21
    pdf.set_font("serif", size=7.2)
    for value in (0, 40, 60, 80, 100):
        pdf.set_xy(left + value / 100 * track - 20, y)
        pdf.cell(40, 10, str(value), align="C")


def _table(pdf: FPDF, rows: list[dict[str, Any]]) -> None:
    pdf.set_font("serif", size=8.2)
    with pdf.table(col_widths=(10, 50, 20, 20), line_height=14, padding=3, borders_layout="HORIZONTAL_LINES",
                   text_align=("R", "L", "R", "R"), first_row_as_headings=False) as table:  # fmt: skip
        for row in [{"nomor": "No.", "nama": "Butir", "benar": "Benar", "soal": "Soal"}, *rows]:
            cells = table.row()
            for key in ("nomor", "nama", "benar", "soal"):
                cells.cell(str(row[key]))
