"""Many dead letters at once: the question before, the progress bar, the summary after, the exit code."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from actors.desk import bulk_replays
from actors.desk.bulk_replays import Manner, Summary
from ops.commands.terminal import INTERRUPTED, REFUSED, REMAINS, Desk, counted, err, out, print_json
from schema.rows import letter_search, workers
from schema.rows.letter_search import LetterFilter
from service.routes.dead_letters import summary_shown

_SETTLE = 15.0  # seconds to wait for the ends of what went without a trial


@dataclass(frozen=True)
class Asked:
    """How a bulk act was asked for."""

    act: str  # replay | discard
    everything: bool
    yes: bool
    as_json: bool


def run(here: Desk, wanted: LetterFilter, asked: Asked, how: Manner) -> int:
    """A bulk act with its question, progress bar and summary; the exit code. `how` is completed with what this adds."""
    if not wanted.narrows and not asked.everything:
        raise typer.BadParameter("name letters, a filter, or --all")
    matched = letter_search.count(here.db, wanted)
    if not matched:
        print_json(_shown(Summary(dry_run=how.dry_run))) if asked.as_json else out.print("No open letter matches.")
        return REFUSED
    if not (asked.yes or how.dry_run or asked.as_json) and (matched > 1 or asked.act == "discard"):
        typer.confirm(f"{asked.act.capitalize()} {counted(matched, 'dead letter')}?", abort=True)
    stop = threading.Event()
    with _signals(stop), _bar(asked, matched) as progress:
        # Without a worker nothing would end, however long one waits.
        settle = min(how.patience, _SETTLE) if workers.live(here.db, here.settings.lease) else 0.0
        manner = replace(how, settle=settle, stopping=stop.is_set, progress=progress, wake=here.wake)
        act = bulk_replays.replay_matching if asked.act == "replay" else bulk_replays.discard_matching
        summary = act(here.db, wanted, manner)
    print_json(_shown(summary)) if asked.as_json else _print_summary(summary)
    if summary.interrupted:
        return INTERRUPTED
    return REMAINS if summary.stopped or summary.died_again else 0


def _shown(summary: Summary) -> dict[str, Any]:
    return dict(msgspec.to_builtins(summary_shown(summary))) | {
        "remaining": summary.still_open,
        "died_again": summary.died_again,
        "unfinished": summary.unfinished,
    }


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C ends the run between two letters."""
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _bar(asked: Asked, matched: int) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=asked.as_json or not err.is_terminal) as bar:
        task = bar.add_task(asked.act, total=matched)
        yield lambda summary, phase: bar.update(task, completed=summary.done, description=phase or asked.act)


_WOULD = {"replayed": "would be replayed", "discarded": "would be discarded"}


def _print_summary(summary: Summary) -> None:
    outcomes = sorted(summary.outcomes.items())
    if summary.dry_run:
        would = ", ".join(f"{n} {_WOULD.get(outcome, f'would be left ({outcome})')}" for outcome, n in outcomes)
        letters = counted(summary.matched, "open letter")
        out.print(f"Of {letters} {would or 'none would be touched'}. Nothing was changed.")
    else:
        done = ", ".join(f"{n} {outcome}" for outcome, n in outcomes) or "nothing done"
        died = f"; {summary.died_again} failed again" if summary.died_again else ""
        out.print(f"{done}{died}; {summary.still_open} of {summary.matched} remain open.")
    if summary.unfinished:
        have = "has" if summary.unfinished == 1 else "have"
        where = "ops/reportq dead-letters list shows what fails again."
        out.print(f"{summary.unfinished} {have} not ended yet; {where}")
    elif summary.died_again and not summary.stopped:
        out.print("See ops/reportq dead-letters list for why.")
    for entry in summary.newer[:10]:
        out.print(f"  {entry['dead_letter_id']}: a newer job has completed the same report: {entry['newer_job_id']}")
    for group in summary.stopped:
        reason = {
            "failing_again": "the first ones failed again in the same way; the rest was left alone",
            "undecided": "the first ones have not ended yet; repeat later, or use --trial 0",
        }[str(group["reason"])]
        out.print(f"[yellow]{group['error_code']} ({group['fingerprint']})[/]: {reason}.")
    if summary.interrupted:
        out.print("Interrupted; the same command goes on where it stopped.")
