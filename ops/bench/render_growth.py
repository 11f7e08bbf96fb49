"""Processor time of reports whose data grows, for each kind of text and each place where it may stand.

Each text is drawn at 1×, 2× and 4× of `--size` kB of UTF-8; the best of the rounds counts. Growth is the time at 4×
divided by the time at 2×: 2 when time is linear. Then the slowest ones are drawn from 1 MB, a request's limit. What
fills more pages than a report may have is refused; that is timed as well.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from actors.pdf.renderer import PdfRenderer
from ops.bench.frame import console, last_line, parser
from ops.bench.reference import DATE, TEMPLATES
from schema.errors import Permanent
from schema.ports import RenderRequest

STEPS = (1, 2, 4)
MOST_GROWTH, MOST_SECONDS = 3.0, 100.0  # The promise: linear time, and a third of the shortest time limit of a job.
TOO_SHORT = 0.02  # Seconds above an empty report. Shorter times show no growth.
SLOWEST = 4  # So many of the slowest texts are drawn from a whole megabyte.
MEGABYTE = 1_000_000

TEXTS: dict[str, str] = yaml.safe_load(Path(__file__).with_name("growth.yaml").read_text("utf-8"))
# Where one long text may stand, and where many short ones may.
ONE = ("judul", "nama", "rincian", "kepala", "catatan", "kotak", "sumbu", "sempit")
MANY = ("bagian", "alinea", "daftar", "baris", "batang", "jari", "kutub")
IN_PLACES = ("words", "arabic", "mixed word", "no font")
EMPTY: dict[str, Any] = dict.fromkeys(ONE, "x") | {key: [] for key in MANY} | {"pohon": "x"}


def cases() -> Iterator[tuple[str, str, str]]:
    """(name, key of the data, kind of text): every text in a note, a few in each place, short and long entries."""
    for kind in TEXTS:
        yield kind, "catatan", kind
    for kind in IN_PLACES:
        for place in (*ONE, *MANY):
            if place != "catatan":
                yield f"{kind} in {place}", place, kind
    for place in MANY:
        yield f"one letter in many {place}", f"{place}*", "one letter"
    yield "deep and wide data", "pohon", "one letter"
    yield "keys that nobody asks for", "*", "one letter"


def data_of(place: str, unit: str, size: int) -> dict[str, Any]:
    """A report with so many bytes of this text at one place."""
    if place == "*":
        return {f"k{number}": 0 for number in range(size // 10)} | {"baris": ["x"] * (size // 100)}
    if place == "pohon":
        tree: Any = "x"
        for _ in range(32):
            tree = [tree, *["x"] * (size // 160)]
        return {"pohon": tree}
    many = place.endswith("*")
    entry = unit if many else unit * (60 // len(unit.encode()) or 1)
    text = unit * (size // len(unit.encode()))
    if place.rstrip("*") in MANY:
        return {place.rstrip("*"): [entry] * (size // (len(entry.encode()) + 3))}
    return {place: text}


def seconds(renderer: PdfRenderer, data: dict[str, Any], rounds: int) -> float:
    """The least processor time of a report with this data, drawn or refused."""
    request = RenderRequest("pertumbuhan", EMPTY | data, "pdf_1", DATE)
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        try:
            renderer.render(request)
        except Permanent as error:
            if error.code != "invalid_data":
                raise
        best = min(best, time.process_time() - began)
    return best


def main(argv: list[str]) -> int:
    """Print the table and the line for programs; 1 when something grows faster than it may, or takes too long."""
    options = parser("render_growth", __doc__)
    options.add_argument("--size", type=float, default=10, help="kB of text at 1× (10)")
    options.add_argument("--rounds", type=int, default=2, help="times each is drawn; the best counts (2)")
    options.add_argument("--only", default="", help="only what has this word in its name")
    asked = options.parse_args(argv)
    renderer = PdfRenderer((TEMPLATES,))
    seconds(renderer, {}, 1)
    nothing = seconds(renderer, {}, 3)
    table = Table("", *(f"{step * asked.size:g} kB, ms" for step in STEPS), "growth", title_justify="left")
    growths: dict[str, float] = {}
    largest: dict[str, tuple[float, dict[str, Any]]] = {}
    for name, place, kind in cases():
        if asked.only not in name:
            continue
        grown = [data_of(place, TEXTS[kind], round(step * asked.size * 1000)) for step in STEPS]
        took = [seconds(renderer, data, asked.rounds) for data in grown]
        if took[-1] - nothing > TOO_SHORT:
            growths[name] = (took[-1] - nothing) / max(took[-2] - nothing, 0.001)
        largest[name] = took[-1], data_of(place, TEXTS[kind], MEGABYTE)
        table.add_row(name, *(f"{one * 1000:.0f}" for one in took), f"{growths[name]:.1f}" if name in growths else "–")
    console.print(table)
    megabytes = {}
    for name, (_, data) in sorted(largest.items(), key=lambda one: -one[1][0])[:SLOWEST]:
        megabytes[name] = seconds(renderer, data, 1)
        console.print(f"{name:40} 1 MB in {megabytes[name]:.1f} s")
    worst = max(growths.values(), default=0.0)
    last_line("render_growth", worst_growth=worst, slowest_megabyte_s=max(megabytes.values()))
    return 0 if worst <= MOST_GROWTH and max(megabytes.values()) <= MOST_SECONDS else 1
