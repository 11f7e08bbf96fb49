"""One run of `python -m ops.chaos` as its tests see it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ops.chaos.__main__ import VOID

ROOT = Path(__file__).resolve().parents[2]
LAST = re.compile(
    r"accepted=\d+ completed=\d+ failed=\d+ cancelled=\d+ lost=\d+ duplicate_files=\d+ double_ends=\d+ untold=\d+ "
    r"posts_after_recorded_2xx=\d+ repeated_after_unknown=\d+ faults=\d+ seed=\d+"
)

# Seeds that `ops/test soak` runs: seed → why it is here. One that ever failed stays, with what it found.
SEEDS: dict[int, str] = {
    1: "a purge of both queues left one accepted job queued for ever: idle threads were taken for hints in flight",
    3: "with 2,000 jobs: a worker whose parent was killed while it started hung in its log, and its callbacks with it",
    4: "with 2,000 jobs: a callback was never rescued, most probably because of one row that somebody else still held",
    5: "with 2,000 jobs: the same as 3",
    7: "with 2,000 jobs: the same as 4, two callbacks",
}
FIRST = 1  # which `ops/test chaos` runs, with fewer jobs
# A sabotage, the seed that shows it, and the lanes that do; the others are shown by hand, see ops/chaos/RESULTS.md.
SABOTAGES: dict[str, tuple[int, tuple[str, ...]]] = {
    "no-reserved-id": (11, ("drive",)),
    "post-again": (11, ("hints",)),
}


def run(folder: Path, *options: str) -> tuple[int, str, dict[str, int]]:
    """Exit code, output, and the last line as numbers. A run in which MariaDB breaks its own tables is run once more."""
    for attempt in ("first", "second"):
        (folder / attempt).mkdir()
        command = [sys.executable, "-m", "ops.chaos", "--folder", str(folder / attempt), *options]
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        print(done.stdout)
        if done.returncode != VOID:
            break
    last = done.stdout.splitlines()[-1]
    assert LAST.fullmatch(last), last
    return done.returncode, done.stdout, {k: int(v) for k, v in (word.split("=") for word in last.split())}


def ends_well(folder: Path, jobs: int, seed: int) -> None:
    """Nothing is lost, doubled or left untold, and every kind of fault really happened."""
    code, shown, counts = run(folder, "--jobs", str(jobs), "--seed", str(seed))
    assert code == 0
    assert counts["accepted"] >= jobs
    assert counts["completed"] + counts["failed"] + counts["cancelled"] == counts["accepted"]
    assert "(never)" not in shown
    assert "could not be done" not in shown


def is_noticed(folder: Path, jobs: int, sabotage: str, lanes: Sequence[str]) -> None:
    """The judge finds the harm that a broken guard does, among faults of these lanes."""
    seed, _ = SABOTAGES[sabotage]
    chosen = ("--jobs", str(jobs), "--seed", str(seed), "--sabotage", sabotage, "--lanes", *lanes)
    code, _, counts = run(folder, *chosen)
    assert code == 1
    found = {"no-reserved-id": "duplicate_files", "post-again": "posts_after_recorded_2xx"}[sabotage]
    assert counts[found] > 0
