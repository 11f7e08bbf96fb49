"""The reference report by ReportLab's platypus: same faces, text, charts and pages, drawn the way its guide shows."""

import io
import math
from typing import Any

from reportlab import platypus
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_JUSTIFY, TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from actors.pdf import style as s
from actors.pdf.fonts.font_file import FONTS

BANDS = [Color(*tone) for tone in s.BANDS[:4]]
DEEP, QUIET, RULE = Color(*s.DEEP), Color(*s.QUIET), Color(*s.RULE)
BODY_FONT, HEAD_FONT = "NotoSerif", "NotoSansBold"
BODY = ParagraphStyle(
    "body", fontName=BODY_FONT, fontSize=9.8, leading=14, alignment=TA_JUSTIFY, spaceAfter=7,
    hyphenationLang="id_ID", allowWidows=0, allowOrphans=0,
)  # fmt: skip
HEADING = ParagraphStyle(
    "heading", fontName=HEAD_FONT, fontSize=17.5, leading=21, textColor=DEEP, spaceAfter=14, keepWithNext=1
)
CELL = ParagraphStyle("cell", fontName=BODY_FONT, fontSize=8.2, leading=10.5)
NUMBER = ParagraphStyle("number", parent=CELL, alignment=TA_RIGHT)


def prepare() -> None:
    """Register the two faces once per process, as a server does."""
    pdfmetrics.registerFont(TTFont(BODY_FONT, str(FONTS / "NotoSerif-Regular.ttf")))
    pdfmetrics.registerFont(TTFont(HEAD_FONT, str(FONTS / "NotoSans-Bold.ttf")))


class Radar(platypus.Flowable):  # type: ignore[misc]
    """A hexagon of bands and a polygon."""

    def __init__(self, data: list[dict[str, Any]]) -> None:
        super().__init__()
        self.data = data
        self.width, self.height = s.A4.measure, 17 * s.GRID

    def draw(self) -> None:
        canvas, count = self.canv, len(self.data)
        x, y, radius = self.width / 2, self.height / 2, self.height / 2 - 34
        angles = [math.pi / 2 - 2 * math.pi * place / count for place in range(count)]

        def polygon(parts: list[float], **how: int) -> None:
            path = canvas.beginPath()
            for place, (angle, part) in enumerate(zip(angles, parts, strict=True)):
                point = x + radius * part * math.cos(angle), y + radius * part * math.sin(angle)
                (path.lineTo if place else path.moveTo)(*point)
            path.close()
            canvas.drawPath(path, **how)

        for part, tone in zip((1.0, 0.8, 0.6, 0.4), reversed(BANDS), strict=True):
            canvas.setFillColor(tone)
            canvas.setStrokeColor(HexColor("#ffffff"))
            polygon([part] * count, fill=1, stroke=1)
        canvas.setStrokeColor(RULE)
        for angle in angles:
            canvas.line(x, y, x + radius * math.cos(angle), y + radius * math.sin(angle))
        canvas.setStrokeColor(DEEP)
        canvas.setLineWidth(1.8)
        polygon([datum["skor"] / 100 for datum in self.data], fill=0, stroke=1)
        canvas.setFillColor(DEEP)
        for angle, datum in zip(angles, self.data, strict=True):
            part = radius * datum["skor"] / 100
            canvas.circle(x + part * math.cos(angle), y + part * math.sin(angle), 3, stroke=0, fill=1)
            canvas.setFont(HEAD_FONT, 8.2)
            far = radius + 16
            at = x + far * math.cos(angle), y + far * math.sin(angle)
            canvas.drawCentredString(*at, datum["nama"])
            canvas.setFont(BODY_FONT, 8.2)
            canvas.drawCentredString(at[0], at[1] - 10, str(datum["skor"]))


class Bars(platypus.Flowable):  # type: ignore[misc]
    """Six bars over bands."""

    def __init__(self, data: list[dict[str, Any]]) -> None:
        super().__init__()
        self.data = data
        self.width, self.height = s.A4.measure, 21.0 * len(data) + 14

    def draw(self) -> None:
        canvas = self.canv
        left, track = self.width * 0.33 + 8, self.width * 0.67 - 42
        for place, datum in enumerate(self.data):
            y = self.height - 21 * (place + 1)
            canvas.setFont(HEAD_FONT, 8.2)
            canvas.setFillColor(DEEP)
            canvas.drawString(0, y + 7, datum["nama"])
            start = 0.0
            for end, tone in zip((0.4, 0.6, 0.8, 1.0), BANDS, strict=True):
                canvas.setFillColor(tone)
                canvas.rect(left + start * track, y + 3, (end - start) * track - 0.8, 14, stroke=0, fill=1)
                start = end
            canvas.setFillColor(DEEP)
            canvas.rect(left, y + 7, datum["skor"] / 100 * track, 6.4, stroke=0, fill=1)
            canvas.drawRightString(self.width, y + 7, str(datum["skor"]))
        canvas.setFont(BODY_FONT, 7.2)
        for value in (0, 40, 60, 80, 100):
            canvas.drawCentredString(left + value / 100 * track, 2, str(value))


def render(report: dict[str, Any]) -> bytes:
    """The PDF."""
    out = io.BytesIO()
    title = f"Laporan acuan – {report['nama']}"

    def cover(canvas: Any, _document: Any) -> None:
        canvas.setFillColor(DEEP)
        canvas.rect(0, s.A4.height - 378, s.A4.width, 378, stroke=0, fill=1)

    def furniture(canvas: Any, document: Any) -> None:
        canvas.setFont(BODY_FONT, 7.4)
        canvas.setFillColor(QUIET)
        canvas.drawString(s.A4.left, s.A4.height - 57, f"Laporan acuan · {report['nama']}")
        canvas.setStrokeColor(RULE)
        canvas.line(s.A4.left, s.A4.height - 64, s.A4.left + s.A4.measure, s.A4.height - 64)
        canvas.drawString(s.A4.left, 58, report["nomor"])
        canvas.drawRightString(s.A4.left + s.A4.measure, 58, f"Halaman {document.page} dari 7")

    frame = platypus.Frame(s.A4.left, 88, s.A4.measure, s.A4.body + 6, 0, 0, 0, 0)
    document = platypus.BaseDocTemplate(
        out, pagesize=(s.A4.width, s.A4.height), title=title, author="Biro acuan", lang="id",
        subject="Laporan acuan untuk pengukuran", keywords=[report["nomor"]], invariant=1,
    )  # fmt: skip
    document.addPageTemplates(
        [platypus.PageTemplate("cover", frame, onPage=cover), platypus.PageTemplate("inner", frame, onPage=furniture)]
    )
    white = ParagraphStyle("white", parent=HEADING, fontSize=31, leading=35, textColor=HexColor("#ffffff"))
    story: list[Any] = [
        platypus.Spacer(1, 200),
        platypus.Paragraph("Laporan Acuan", white),
        platypus.Spacer(1, 90),
        platypus.Paragraph(report["nama"], ParagraphStyle("name", parent=BODY, fontSize=22, leading=28)),
        platypus.Paragraph(f"{report['nomor']} · 23 November 2026", BODY),
        platypus.NextPageTemplate("inner"),
    ]
    for part in report["bagian"]:
        story += [platypus.PageBreak(), Bookmarked(part["judul"])]
        story += [platypus.Paragraph(paragraph, BODY) for paragraph in part["alinea"]]
        if part["isi"] == "radar":
            story.append(Radar(report["minat"]))
        elif part["isi"] == "batang":
            story.append(Bars(report["minat"]))
        elif part["isi"] == "tabel":
            story.append(_table(report["butir"]))
    document.build(story)
    return out.getvalue()


class Bookmarked(platypus.Paragraph):  # type: ignore[misc]
    """A heading with an entry in the outline."""

    def __init__(self, text: str) -> None:
        super().__init__(text, HEADING)
        self.title = text

    def draw(self) -> None:
        self.canv.bookmarkPage(self.title)
        self.canv.addOutlineEntry(self.title, self.title, 0)
        super().draw()


def _table(rows: list[dict[str, Any]]) -> platypus.Table:
    cells: list[list[Any]] = [["No.", "Butir", "Benar", "Soal"]]
    styles = {"nomor": NUMBER, "nama": CELL, "benar": NUMBER, "soal": NUMBER}
    cells += [[platypus.Paragraph(str(row[name]), style) for name, style in styles.items()] for row in rows]
    table = platypus.Table(cells, colWidths=[s.A4.measure * part for part in (0.1, 0.5, 0.2, 0.2)], repeatRows=1)
    table.setStyle(
        platypus.TableStyle(
            [
                ("FONT", (0, 0), (-1, 0), HEAD_FONT, 7.6),
                ("LINEABOVE", (0, 0), (-1, 0), 1.1, DEEP),
                ("LINEBELOW", (0, 0), (-1, -1), 0.35, RULE),
                ("TOPPADDING", (0, 0), (-1, -1), 5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
            ]
        )
    )
    return table
