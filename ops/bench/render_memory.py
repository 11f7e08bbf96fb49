"""Memory of one worker over many reports: flat after the first 200, and what the CJK fallback adds.

`python -m ops.bench render_memory [--reports N]`. Every report has a name and texts of its own, so that caches are
filled as they would be over weeks. Last line: `render_memory peak_mb=… growth_after_200=…% cjk_mb=…`.
"""

import argparse
import random
from pathlib import Path
from typing import Any

from actors.pdf.fonts.families import SYSTEM_CJK, families
from actors.pdf.renderer import PdfRenderer
from ops.bench.reference import DATE, NAMES, TEMPLATES, report
from schema.ports import RenderRequest

WARM = 200
LIMIT_MB, LIMIT_GROWTH = 120.0, 5.0
SYLLABLES = "ka,ri,ta,ma,su,wi,jo,yo,ni,lu,pu,tri,ang,gar,ban,dung,sih,eko,rah,wati,tomo,di,ra,ha"


def resident_mb() -> float:
    """Resident memory of this process, now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def varied(number: int) -> dict[str, Any]:
    """A reference report whose words are partly its own: names and remarks nobody else has."""
    chance = random.Random(number)
    made = report(number)
    made["nama"] = " ".join("".join(chance.choices(SYLLABLES.split(","), k=3)).title() for _ in range(3))
    for part in made["bagian"]:
        remark = " ".join("".join(chance.choices(SYLLABLES.split(","), k=chance.randint(2, 5))) for _ in range(8))
        part["alinea"] = [*part["alinea"][:-1], f"{part['alinea'][-1]} {remark}."] if part["alinea"] else []
    return made


def main(argv: list[str]) -> int:
    """1 when memory grows by more than 5 % after the first 200 reports, or beyond 120 MB."""
    parser = argparse.ArgumentParser(prog="python -m ops.bench render_memory", description=__doc__)
    parser.add_argument("--reports", type=int, default=2000)
    options = parser.parse_args(argv)
    renderer = PdfRenderer((TEMPLATES,))
    peak = warm = 0.0
    for number in range(options.reports):
        renderer.render(RenderRequest("referensi", varied(number), f"A-{number}", DATE))
        if number % 50 == 49:
            now = resident_mb()
            peak = max(peak, now)
            if number + 1 == WARM:
                warm = now
            if number % 400 == 399:
                print(f"{number + 1:6} reports  {now:6.1f} MB")
    growth = 100 * (peak - warm) / warm if warm else 0.0
    cached = sum(family.runs.cache_info().currsize for family in families().values())
    print(f"{cached} measured words kept; {len(NAMES)} axes, {options.reports} reports")
    cjk = "absent"
    if any(path.exists() for path in SYSTEM_CJK):
        data = report(1) | {"nama": "王小明 李娜"}
        renderer.render(RenderRequest("referensi", data, "A-cjk", DATE))
        cjk = f"{resident_mb():.0f}"
    print(f"render_memory peak_mb={peak:.0f} growth_after_200={growth:.1f}% cjk_mb={cjk}")
    return 0 if peak <= LIMIT_MB and growth <= LIMIT_GROWTH else 1
