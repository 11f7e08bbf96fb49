"""Faults, load, rest, verdict:

    python -m ops.chaos --jobs 2000 --seed 1 [--batch 2000] [--sabotage NAME] [--lanes LANE …] [--folder DIR]

The last line is the verdict; the exit code is 0 only when its zeros are zeros, and `gauges_wrong` above it too. The same
seed makes the same schedule.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ops.chaos.faults import Faults
from ops.chaos.judge import STUCK, Verdict, add, at_rest, collect, judge
from ops.chaos.load import Load, troubled
from ops.chaos.numbers import compare
from ops.chaos.sabotage import SABOTAGES
from ops.chaos.schedule import KINDS, LANES, RECEIVERS, length, plan
from ops.chaos.system import System

PATIENCE = 5.0  # A slow machine gets this multiple of the planned seconds.
# Seconds the system may need to come to rest once the faults have stopped, and more for each job.
REST, REST_A_JOB = 300.0, 0.5
EMBEDDED = 20  # one job of so many, beside the others, for the embedded default
VOID = 3  # exit code of a run that says nothing
_BROKEN = ("index corruption", "Out of disk space) in rollback")


class ServerBroken(Exception):
    """The database's server itself lost rows, so that a run says nothing about ours."""


def main(argv: list[str]) -> int:
    """One run; 0 when nothing was lost, doubled or left untold, 3 when the database's server itself broke."""
    parser = argparse.ArgumentParser(prog="python -m ops.chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=200, help="submit until so many are accepted (200)")
    parser.add_argument("--seed", type=int, default=1, help="makes the schedule (1)")
    parser.add_argument("--batch", type=int, default=0, help="jobs of the first batch; the others have 2 to 12")
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), help="break one guard of the system under test")
    parser.add_argument("--lanes", nargs="+", choices=LANES, default=LANES, help="only faults of these lanes (all)")
    parser.add_argument("--folder", type=Path, help="keep everything there instead of a temporary folder")
    options = parser.parse_args(argv)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="reportq-chaos-"))
    try:
        verdict, happened = run(folder, options.jobs, options.seed, options.sabotage, options.batch, options.lanes)
    except ServerBroken as broken:
        print(f"void: {broken}\nvoid seed={options.seed}")
        return VOID
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    return report(verdict, happened, options.seed)


def run(
    folder: Path, jobs: int, seed: int, sabotage: str | None = None, batch: int = 0, lanes: Sequence[str] = LANES
) -> tuple[Verdict, Counter[str]]:
    """Start, strike, heal, wait, judge."""
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)

    faults_planned = [fault for fault in plan(jobs, seed) if fault.lane in lanes]
    most = length(faults_planned) * PATIENCE + jobs + 120
    tell(f"{len(faults_planned)} faults planned over {length(faults_planned):.0f} s; starting")
    verdicts: list[Verdict] = []
    with System(folder, sabotage).running() as system, judged_by_sound_rows(system, verdicts, sabotage):
        tell("the system runs; load and faults begin")
        faults = Faults(system, tell)
        load = Load(system, seed, jobs, lambda: faults.share, batch)
        faults.strikes.receiver_back = load.script_again
        load.start()
        threads = faults.run(faults_planned)
        beside = system.embedded.trickle(jobs // EMBEDDED, lambda: faults.share, faults.stopping)
        load.wait(most)
        for lane in threads:
            lane.join(most)
        faults.stopping.set()
        beside.join(most)
        embedded = system.embedded
        tell(
            f"{len(load.accepted)} and {len(embedded.accepted)} accepted, {load.unconfirmed} and {embedded.unconfirmed} "
            f"unconfirmed, {len(load.batches)} batches, refused {load.refused}; faults stop"
        )
        system.heal()
        left = _rest(system, REST + REST_A_JOB * jobs)
        rest = f"at rest; {load.replays} replays, cancels {Counter(load.cancels.values())}, of batches {load.acts}"
        tell(f"left: {left}" if left else rest)
        evidence = collect(system.stack)
        add(evidence, embedded.evidence())
        accepted = [*load.accepted, *embedded.accepted]
        verdict = judge(evidence, accepted, load.unconfirmed + embedded.unconfirmed, load.batches)
        for trouble in faults.troubles:
            tell(f"trouble with {trouble}")
        verdict.gauges_wrong, compared = compare(system.stack, faults.happened)
        tell(compared)
        faults.happened.update(troubled(system, load))
        verdicts.append(verdict)
        return verdict, faults.happened


@contextlib.contextmanager
def judged_by_sound_rows(system: System, verdicts: list[Verdict], sabotage: str | None) -> Iterator[None]:
    """Raise ServerBroken in place of a bad verdict when MariaDB says that it has broken its own tables.

    MariaDB 10.11.19 does so now and then when a rollback meets a full disk. Nothing that was promised by a commit can be
    judged then.
    """
    try:
        yield
    finally:
        if not sabotage and not any(verdict.good for verdict in verdicts):
            log = (system.stack.mariadb.folder / "mariadb.log").read_text("utf-8", "replace")
            said = next((line for line in log.splitlines() if any(words in line for words in _BROKEN)), None)
            if said is not None:
                raise ServerBroken(f"MariaDB has broken its own tables: {said[:200]}")


def _rest(system: System, most: float) -> dict[str, int]:
    """Wait until nothing is left to do, or what is left has not changed for a long time and cannot move by itself."""
    began = changed = time.monotonic()
    calm, before = 0, {"": 0}
    while calm < 3:
        left, moving = at_rest(system.stack)
        beside = system.embedded.left()
        left, moving = {**left, **beside}, moving + sum(beside.values())
        now = time.monotonic()
        if left != before:
            before, changed = left, now
        calm = calm + 1 if not left else 0
        if left and ((not moving and now - changed > STUCK) or now - began > most):
            return left
        time.sleep(0.5)
    return {}


def report(verdict: Verdict, happened: Counter[str], seed: int) -> int:
    """Print what happened and the verdict; the exit code."""
    kinds = [*KINDS, *(f"receiver:{kind}" for kind in RECEIVERS)]
    print("\nfaults that really happened:")
    for kind in sorted(kinds):
        print(f"  {kind:24} {happened[kind]}" + ("" if happened[kind] else "   (never)"))
    for name in (*Verdict.ZEROS, "gauges_wrong"):
        found = getattr(verdict, name)
        for line in found[:20]:
            print(f"{name}: {line}")
        if len(found) > 20:
            print(f"{name}: … and {len(found) - 20} more")
    print(f"unconfirmed={verdict.unconfirmed}")
    print(f"gauges_wrong={len(verdict.gauges_wrong)}")
    print(verdict.line(sum(happened.values()), seed))
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
