"""CPU time of one reference report: ours, ReportLab's platypus, plain fpdf2, in one process and the same minutes.

`python -m ops.bench render [--rounds N] [--save DIR]`. The contenders take turns within each round, so that a busy
machine slows all of them alike; the figures are medians of process CPU time. Every report has its own name and
values; the running text is the same, as it is in practice. "fresh words" empties our cache of measured words before
every report, which is the first report after a start.
"""

import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pypdf import PdfReader

from actors.pdf.fonts.families import families
from actors.pdf.renderer import PdfRenderer
from actors.pdf.text.words import hyphen_places, known_chunks
from ops.bench import render_fpdf2, render_reportlab
from ops.bench.frame import parser
from ops.bench.reference import DATE, TEMPLATES, report
from schema.ports import RenderRequest

PAGES = 7
TARGET, PASS = 1.0, 1.5
Contender = Callable[[dict[str, Any]], bytes]


def _ours() -> Contender:
    renderer = PdfRenderer((TEMPLATES,))
    return lambda data: renderer.render(RenderRequest("referensi", data, data["nomor"], DATE))


def _fresh(ours: Contender) -> Contender:
    def render(data: dict[str, Any]) -> bytes:
        for family in families().values():
            family.runs.cache_clear()
        hyphen_places.cache_clear()
        known_chunks.cache_clear()
        return ours(data)

    return render


def _contenders() -> dict[str, tuple[Contender, int]]:
    """Who takes part, and how many reports each draws in a round."""
    render_reportlab.prepare()
    ours = _ours()
    return {
        "reportq": (ours, 8),
        "reportq, fresh words": (_fresh(ours), 4),
        "reportlab": (render_reportlab.render, 8),
        "fpdf2": (render_fpdf2.render, 1),
    }


def measure(rounds: int) -> dict[str, float]:
    """Median CPU milliseconds per report of each contender."""
    contenders = _contenders()
    for render, _ in contenders.values():
        render(report(0))
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    number = 0
    for _ in range(rounds):
        for name, (render, count) in contenders.items():
            reports = [report(number + place) for place in range(count)]
            number += count
            start = time.process_time()
            for data in reports:
                render(data)
            spent[name].append((time.process_time() - start) * 1000 / count)
    return {name: statistics.median(values) for name, values in spent.items()}


def main(argv: list[str]) -> int:
    """Print the table and the verdict line; 1 when the reports differ in pages or ours takes over 1.5 times."""
    asked = parser("render", __doc__)
    asked.add_argument("--rounds", type=int, default=15)
    asked.add_argument("--save", type=Path, help="write one PDF of each contender into this folder")
    options = asked.parse_args(argv)
    pages = {}
    for name, (render, _) in _contenders().items():
        pdf = render(report(1))
        pages[name] = len(PdfReader(io.BytesIO(pdf)).pages)
        if options.save:
            options.save.mkdir(parents=True, exist_ok=True)
            (options.save / f"{name.replace(', ', '-').replace(' ', '-')}.pdf").write_bytes(pdf)
        print(f"{name:22} {pages[name]} pages {len(pdf) / 1024:7.0f} kB")
    words = sum(len(p.split()) for part in report(1)["bagian"] for p in part["alinea"])
    print(f"{words} words of running text, 24 table rows, 1 radar, 6 bars")
    found = measure(options.rounds)
    for name, milliseconds in found.items():
        print(f"{name:22} {milliseconds:8.1f} ms CPU a report (median of {options.rounds} rounds)")
    ratio, against_fpdf2 = found["reportq"] / found["reportlab"], found["reportq"] / found["fpdf2"]
    fresh = found["reportq, fresh words"] / found["reportlab"]
    print(f"with fresh words: {fresh:.2f} of ReportLab's time; target {TARGET}, pass {PASS}")
    same = set(pages.values()) == {PAGES}
    print(
        f"render ratio_vs_reportlab={ratio:.2f} ratio_vs_fpdf2={against_fpdf2:.3f} pages={pages['reportq']}"
        + ("" if same else " (page counts differ)")
    )
    return 0 if same and ratio <= PASS else 1
