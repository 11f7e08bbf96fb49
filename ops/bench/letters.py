"""The desk with ten thousand dead letters: how long the grouped listing takes, and a replay that is cut twice.

The jobs die of a renderer that is broken, each with its letter and its copy in `.XQ`. Then the renderer is mended and
`ops/reportq dead-letters replay --all` started three times: interrupted by Ctrl-C, killed with -9, and let run to its
end. The count must be exact: each job has two rounds, one failed attempt and one completed, and one replayed letter.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ops.bench.frame import console, last_line, parser
from ops.bench.ours import Ours, opened
from ops.servers.process import wait_until
from ops.stack import ROOT

TARGET = 2.0  # seconds of the grouped listing
_REPLAY = ("dead-letters", "replay", "--all", "--yes", "--json", "--why", "bench")


def main(argv: list[str]) -> int:
    """Print the figures; 1 when the listing is too slow or the count is not exact."""
    options = parser("letters", __doc__, turns=5)
    options.add_argument("--jobs", type=int, default=10_000, help="dead letters (10000)")
    asked = options.parse_args(argv)
    with opened(noop=True) as ours:
        broken = Path(ours.stack.environment["REPORTQ_RUN_DIR"]) / "broken"  # the no-op worker looks for it
        broken.touch()
        ours.hold("webhooks")
        ours.lay_out(asked.jobs)
        wait_until(lambda: ours.count("status='failed'") == asked.jobs, 600, f"{asked.jobs} jobs are dead")
        console.print(f"[dim]{asked.jobs} dead letters[/]")

        listed = [_listing(ours, asked.jobs) for _ in range(asked.turns)]
        shown = json.loads(_command(ours, "dead-letters", "list", "--json"))
        if shown["total"] != asked.jobs or len(shown["groups"]) != 1:
            raise RuntimeError(f"{shown['total']} letters in {len(shown['groups'])} groups")
        listing = statistics.median(listed)
        console.print(f"grouped listing: {listing:.3f} s by the API, {shown['took_ms']:.0f} ms in the desk")

        broken.unlink()
        began = time.monotonic()
        for number, share in ((signal.SIGINT, 0.3), (signal.SIGKILL, 0.6)):
            code = _interrupted(ours, number, int(asked.jobs * share))
            console.print(f"[dim]{_replayed(ours)} replayed, then {number.name}: exit {code}[/]")
        summary = json.loads(_command(ours, *_REPLAY))
        wait_until(lambda: ours.count("status='completed'") == asked.jobs, 600, "all of them are completed")
        took = time.monotonic() - began
        console.print(f"replayed and completed in {took:.0f} s; the last run: {summary['outcomes']}")
        wrong = _wrong(ours, asked.jobs)
        for text in wrong:
            console.print(f"[red]{text}[/]")
    last_line("letters", listing_s=listing, replayed=asked.jobs, per_s=asked.jobs / took, wrong=len(wrong))
    return 0 if listing <= TARGET and not wrong else 1


def _listing(ours: Ours, jobs: int) -> float:
    """Seconds the API takes for the grouped listing."""
    began = time.perf_counter()
    answer = ours.stack.call("GET", "/api/dead-letters")
    seconds = time.perf_counter() - began
    if answer.json()["total"] != jobs:
        raise RuntimeError(f"{answer.json()['total']} letters listed")
    return seconds


def _start(ours: Ours, *arguments: str) -> subprocess.Popen[str]:
    command, environment = [sys.executable, "-m", "ops.cli", *arguments], {**os.environ, **ours.stack.environment}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def _command(ours: Ours, *arguments: str) -> str:
    running = _start(ours, *arguments)
    output, _ = running.communicate(timeout=900)
    if running.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: exit {running.returncode}: {output}")
    return output


def _interrupted(ours: Ours, number: signal.Signals, after: int) -> int:
    """Start the replay, end it by a signal once `after` letters are replayed; its exit code."""
    running = _start(ours, *_REPLAY)
    wait_until(lambda: _replayed(ours) >= after or running.poll() is not None, 300, f"{after} letters are replayed")
    if running.poll() is not None:
        raise RuntimeError("the replay ended before it could be interrupted")
    running.send_signal(number)
    running.communicate(timeout=60)
    return running.returncode


def _replayed(ours: Ours) -> int:
    return int(ours.db.scalar("SELECT COUNT(*) FROM dead_letters WHERE status='replayed'"))


def _wrong(ours: Ours, jobs: int) -> list[str]:
    """Everything that is not exactly once."""
    wanted: dict[str, tuple[str, Any]] = {
        "jobs completed in round 2": ("pdf_job_results WHERE status='completed' AND round=2", jobs),
        "letters replayed": ("dead_letters WHERE status='replayed'", jobs),
        "letters": ("dead_letters", jobs),
        "failed attempts of round 1": ("attempts WHERE round=1 AND outcome='failed'", jobs),
        "completed attempts of round 2": ("attempts WHERE round=2 AND outcome='completed'", jobs),
        "attempts": ("attempts", 2 * jobs),
        "replays in the audit": ("audit WHERE act='replay'", jobs),
    }
    found = {what: int(ours.db.scalar(f"SELECT COUNT(*) FROM {rows}")) for what, (rows, _) in wanted.items()}
    return [f"{what}: {found[what]}, not {count}" for what, (_, count) in wanted.items() if found[what] != count]
