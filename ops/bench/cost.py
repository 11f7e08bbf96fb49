"""What one job costs: processor time of every program and server, statements, log writes. The constants of CAPACITY.md.

The same real jobs as in `memory`: submitted, drawn, uploaded to the Drive double, recorded, called back, looked at once.
Processor time is the kernel's count for each program with its children, less what it spends in the same time without
jobs. Unlike seconds it hardly depends on what else the machine does.
"""

import os
import time
from pathlib import Path

from ops.bench.frame import Results, console, last_line, parser
from ops.bench.memory import work
from ops.bench.ours import opened
from ops.servers import leash
from ops.stack import Stack

PROGRAMS = {"api": "api", "relay": "relay", "render": "render-0", "webhook": "webhook"}
TICK = os.sysconf("SC_CLK_TCK")
IDLE = 10.0  # seconds
STATUS = {
    "selects": ("Com_select",),
    "writes": ("Com_insert", "Com_update", "Com_delete"),
    "log_writes": ("Innodb_log_writes",),
}


def main(argv: list[str]) -> int:
    """Print both tables."""
    options = parser("cost", __doc__, turns=3)
    options.add_argument("--jobs", type=int, default=300, help="in each turn (300)")
    asked = options.parse_args(argv)
    spent, statements = Results(), Results()
    with opened(render_workers=1, drive=True, lean=True) as ours:
        work(ours, 20)  # everything is loaded
        before = _spent(ours.stack)
        time.sleep(IDLE)
        idle = {who: (seconds - before[who]) / IDLE for who, seconds in _spent(ours.stack).items()}
        for _ in range(asked.turns):
            ours.empty()
            before, counted, began = _spent(ours.stack), _counted(ours.stack), time.monotonic()
            work(ours, asked.jobs)
            took = time.monotonic() - began
            for who, seconds in _spent(ours.stack).items():
                own = seconds - before[who] - idle[who] * took
                spent.add(who, {"cpu_ms_a_job": 1000 * own / asked.jobs, "idle_ms_a_second": 1000 * idle[who]})
            now = _counted(ours.stack)
            statements.add("MariaDB", {name: (now[name] - counted[name]) / asked.jobs for name in now})
    title = f"Processor time, {asked.jobs} jobs, {asked.turns} turns"
    spent.show(asked, title, "cpu_ms_a_job", "Milliseconds of processor time a job")
    console.print(statements.table("A job, polls and heartbeats included"))
    last_line(
        "cost",
        **{f"{who}_ms": spent.median(who, "cpu_ms_a_job") for who in spent.turns},
        writes=statements.median("MariaDB", "writes"),
        log_writes=statements.median("MariaDB", "log_writes"),
    )
    return 0


def _spent(stack: Stack) -> dict[str, float]:
    """Seconds of processor time so far, by program and by server."""
    tops = {who: [stack.pid(name)] for who, name in PROGRAMS.items()}
    for name in ("mariadb", "rabbitmq", "mongodb"):
        pid = stack.servers()[name].pid
        tops[name] = [pid] if pid else []
    below = {who: [one for pid in pids for one in (pid, *leash.descendants(pid))] for who, pids in tops.items()}
    return {who: sum(map(_seconds, pids)) for who, pids in below.items()}


def _seconds(pid: int) -> float:
    """User and system time of one process, and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICK


def _counted(stack: Stack) -> dict[str, float]:
    rows = {str(name): value for name, value in stack.mariadb.query("SHOW GLOBAL STATUS")}
    return {name: float(sum(int(str(rows[one])) for one in ones)) for name, ones in STATUS.items()}
