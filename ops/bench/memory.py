"""What a render worker, a webhook worker and an API process hold in memory after 1,000 jobs.

It is the whole system as shipped, with one render worker, which therefore draws every report. Reports are real:
uploaded to the Drive double, recorded over MongoDB's protocol, called back to a receiver that answers. The jobs are
submitted and asked for over several connections, as n8n does. The figure is the resident memory (RSS) of the one
process that works; of gunicorn's two workers, of the larger. Beside it stands what it held before its first job. Its
proportional share (PSS) divides pages among those who use them. The whole unit's PSS has the process above it too,
which only starts and watches.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ops.bench.frame import Results, last_line, over, parser
from ops.bench.ours import Ours, opened
from ops.sample_report import CODE, PRODUCT, SAMPLE
from ops.servers import leash
from ops.servers.process import wait_until
from ops.stack import Stack

UNITS = {"render": "render-0", "webhook": "webhook", "api": "api"}
TARGETS = {"render": 90.0, "webhook": 60.0, "api": 70.0}
MOST = {"render": 120.0, "webhook": 90.0, "api": 90.0}


def main(argv: list[str]) -> int:
    """Print the table; 1 when one of them is larger than what was promised."""
    options = parser("memory", __doc__, turns=1)
    options.add_argument("--jobs", type=int, default=1000, help="reports before it is measured (1,000)")
    asked = options.parse_args(argv)
    results = Results()
    for _ in range(asked.turns):
        with opened(render_workers=1, drive=True, lean=True) as ours:
            before = {unit: megabytes(_worker(ours.stack, unit), "Rss:") for unit in UNITS}
            work(ours, asked.jobs)
            for unit in UNITS:
                pid, above = _worker(ours.stack, unit), ours.stack.pid(UNITS[unit])
                whole = [above, *leash.descendants(above)]
                figures = {
                    "rss_mb": megabytes(pid, "Rss:"),
                    "at_first_mb": before[unit],
                    "pss_mb": megabytes(pid, "Pss:"),
                }
                results.add(unit, figures | {"unit_pss_mb": sum(megabytes(one, "Pss:") for one in whole)})
    after = f"after {asked.jobs:,} jobs"
    results.show(asked, f"Memory {after}", "rss_mb", f"MB of resident memory {after}")
    found = {unit: results.median(unit, "rss_mb") for unit in UNITS}
    for unit, rss in found.items():
        over(unit, rss, TARGETS[unit], " MB")
    last_line("memory", **{f"{unit}_mb": rss for unit, rss in found.items()})
    return 0 if all(rss <= MOST[unit] for unit, rss in found.items()) else 1


def work(ours: Ours, jobs: int) -> None:
    """So many reports, submitted, drawn, told and looked at."""
    stack = ours.stack
    sample = json.loads(SAMPLE.read_text())
    stack.save_report(CODE, PRODUCT, sample)

    def submit(number: int) -> str:
        priority = ("high", "normal", "low")[number % 3]
        return stack.submit(code=CODE, productId=PRODUCT, priority=priority, callback=stack.receiver.url())

    with ThreadPoolExecutor(8) as callers:
        made = list(callers.map(submit, range(jobs)))
        wait_until(lambda: ours.count("ended_at IS NULL") == 0, 5 * jobs, f"{jobs} jobs end")
        delivered = "SELECT COUNT(*) FROM deliveries WHERE status='delivered'"
        wait_until(lambda: int(ours.db.scalar(delivered)) == jobs, 600, f"{jobs} callbacks arrive")
        shown = list(callers.map(stack.job, made))
    if any(job["status"] != "completed" for job in shown):
        raise RuntimeError("a report failed")


def _worker(stack: Stack, unit: str) -> int:
    """The process that works: the largest of the unit's."""
    return max(leash.descendants(stack.pid(UNITS[unit])), key=lambda pid: megabytes(pid, "Rss:"))


def megabytes(pid: int, name: str) -> float:
    """One sum over a process's mappings as the kernel makes it."""
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return {words[0]: int(words[1]) for words in lines}[name] / 1024
