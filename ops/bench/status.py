"""How long a person waits for `ops/reportq status`, with nothing waiting and with 100,000 rows queued.

    python -m ops.bench status [--rows 100000] [--turns 5] [--plot FILE.png]

The command runs as a person types it, its start included; `doctor` beside it also tries the PDF store.
"""

import os
import subprocess
import sys
import time

from ops.bench.frame import Contender, Results, last_line, parser, take_turns
from ops.bench.ours import Ours, opened
from ops.stack import ROOT

MOST = 1.0  # seconds
COMMANDS = ("status", "doctor")
PATIENCE = 60.0


def main(argv: list[str]) -> int:
    """Print the table; 1 when `status` takes longer than a person waits."""
    options = parser("status", __doc__, turns=5)
    options.add_argument("--rows", type=int, default=100_000, help="queued (100,000)")
    asked = options.parse_args(argv)
    with opened() as ours:
        ours.hold("pdf", "webhooks")
        few = _asked(ours, asked.turns, "nothing waits")
        ours.lay_out(asked.rows)
        many = _asked(ours, asked.turns, f"{asked.rows:,} wait")
    for results in (few, many):
        results.show(asked, f"Seconds of a command, {asked.turns} turns", "seconds", "Seconds of a command")
    name = f"status, {asked.rows:,} wait"
    median = many.median(name, "seconds")
    last_line("status", seconds=median, nothing_waits_s=few.median("status, nothing waits", "seconds"))
    return 0 if median <= MOST else 1


def _asked(ours: Ours, turns: int, when: str) -> Results:
    def timed(command: str) -> Contender:
        return lambda: {"seconds": seconds(ours, command)}

    return take_turns({f"{command}, {when}": timed(command) for command in COMMANDS}, turns)


def seconds(ours: Ours, command: str) -> float:
    """From typing the command to its end; RuntimeError when it said nothing."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(ours.folder), "REPORTQ_VENV": sys.prefix}
    began = time.perf_counter()
    done = subprocess.run(
        [str(ROOT / "ops" / "reportq"), command],
        cwd=ROOT, env={**environ, **ours.stack.environment},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    taken = time.perf_counter() - began
    if not done.stdout.strip():
        raise RuntimeError(f"{command}: exit code {done.returncode}: {done.stderr[-500:]}")
    return taken
