"""`reportq dead-letters`: what died, grouped by why; replay and discard."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from actors.desk import bulk_replays
from actors.desk.bulk_replays import Manner, Summary
from ops.commands.terminal import (
    INTERRUPTED,
    REFUSED,
    REMAINS,
    Desk,
    Json,
    Why,
    Yes,
    counted,
    desk,
    err,
    one_of,
    out,
    print_json,
    print_pairs,
    print_table,
    short,
)  # fmt: skip
from schema.rows import letter_search, workers
from schema.rows.letter_search import LetterFilter
from schema.rows.messages import QUEUES
from service.routes.dead_letters import letter_shown, listing, one_letter, summary_shown

_SETTLE = 15.0  # seconds to wait for the ends of what went without a trial

app = typer.Typer(help="Jobs, callbacks and messages that died.", no_args_is_help=True)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Letters (dl_…) or jobs (pdf_…).")]
Code = Annotated[str | None, typer.Option(help="Only this report code.")]
Product = Annotated[str | None, typer.Option(help="Only this product.")]
Job = Annotated[list[str] | None, typer.Option(help="Only these jobs; may be repeated.")]
Error = Annotated[str | None, typer.Option(help="Only this error code.")]
Mark = Annotated[str | None, typer.Option("--fingerprint", help="Only this group.")]
Since = Annotated[str | None, typer.Option(help="Died since: 2h, 30m, 1d or an RFC 3339 moment.")]
Queue = Annotated[str | None, typer.Option(help="pdf or webhooks.", callback=one_of(QUEUES))]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]
Rate = Annotated[float | None, typer.Option(help="At most so many a second.", min=0.01)]


@app.command("list")
def list_(
    code: Code = None,
    product: Product = None,
    job: Job = None,
    error: Error = None,
    fingerprint: Mark = None,
    since: Since = None,
    queue: Queue = None,
    status: Annotated[
        str, typer.Option(help="open, replayed or discarded.", callback=one_of(letter_search.STATUSES))
    ] = "open",
    letters: Annotated[bool, typer.Option("--letters", help="Single letters instead of groups.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: Json = False,
) -> None:
    """Groups by error, the most frequent first (or single letters)."""
    with desk() as here:
        wanted = _filter(here, [], code, product, job, error, fingerprint, since, queue, status)
        began = time.monotonic()
        if letters:
            shown: dict[str, Any] = {
                "letters": [letter_shown(row) for row in letter_search.page(here.db, wanted, limit)],
                "total": letter_search.count(here.db, wanted),
            }
        else:
            shown = listing(here.db, wanted, limit)
        seconds = time.monotonic() - began
    if as_json:
        print_json(shown | {"took_ms": round(seconds * 1000, 1)})
    elif letters:
        columns = ("dead_letter_id", "job_id", "queue", "code", "product_id", "error_code", "attempts")
        print_table(
            (*columns, "died"), [(*(r[c] for c in columns), short(r["last_failed_at"])) for r in shown["letters"]]
        )
        out.print(f"{counted(shown['total'], 'letter')} ({seconds * 1000:.0f} ms)")
    else:
        _print_groups(shown["groups"])
        groups = counted(len(shown["groups"]), "group")
        out.print(f"{counted(shown['total'], 'letter')} in {groups} ({seconds * 1000:.0f} ms)")


@app.command()
def show(letter_id: str, as_json: Json = False) -> None:
    """Everything about one letter."""
    with desk() as here:
        letter = one_letter(here.db, letter_id)
    if as_json:
        print_json(letter)
        return
    acts, traceback, raw = letter.pop("acts"), letter.pop("traceback"), letter.pop("raw")
    print_pairs(letter.items())
    for act in acts:
        out.print(f"{short(act['at'])}  {act['who']}  {act['act']}  {act['why'] or ''}", markup=False)
    for text in filter(None, (traceback, raw)):
        out.print(f"\n{text}", markup=False)


@app.command()
def replay(
    ids: Ids = None,
    everything: Annotated[bool, typer.Option("--all", help="Every open letter.")] = False,
    code: Code = None,
    product: Product = None,
    job: Job = None,
    error: Error = None,
    fingerprint: Mark = None,
    since: Since = None,
    queue: Queue = None,
    dry_run: DryRun = False,
    rate: Rate = None,
    trial: Annotated[
        int, typer.Option(min=0, help="So many of each error go first; 0: no trial.")
    ] = bulk_replays.TRIAL,
    patience: Annotated[float, typer.Option(help="Seconds to wait for the first ones to end.")] = 120.0,
    skip_newer: Annotated[bool, typer.Option("--skip-newer", help="Leave out what a newer job has completed.")] = False,
    why: Why = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Try again, with a fresh budget: one, some, or all that match. Safe to interrupt and to repeat.

    A callback's letter is sent again without rendering. The first letters of each error go ahead; when they fail again in
    the same way, the rest of that error is left alone and the exit code is 3. Errors with no more letters than a trial takes
    are sent whole, and their ends are waited for 15 seconds at most; the exit code is 3 when one died again.
    """
    with desk() as here:
        wanted = _filter(here, ids or [], code, product, job, error, fingerprint, since, queue)
        asked = Asked("replay", everything, dry_run, rate, trial, patience, skip_newer, why, yes, as_json)
        code_ = run(here, wanted, asked)
    raise typer.Exit(code_)


@app.command()
def discard(
    ids: Ids = None,
    everything: Annotated[bool, typer.Option("--all", help="Every open letter.")] = False,
    code: Code = None,
    product: Product = None,
    job: Job = None,
    error: Error = None,
    fingerprint: Mark = None,
    since: Since = None,
    queue: Queue = None,
    dry_run: DryRun = False,
    why: Annotated[str | None, typer.Option("--why", help="The reason, kept in the audit: needed.")] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Close letters without trying again: for good, so a reason is needed."""
    if not (why or "").strip() and not dry_run:
        why = _asked_why()
    with desk() as here:
        wanted = _filter(here, ids or [], code, product, job, error, fingerprint, since, queue)
        asked = Asked("discard", everything, dry_run, None, 0, 0.0, False, why, yes, as_json)
        code_ = run(here, wanted, asked)
    raise typer.Exit(code_)


def _asked_why() -> str:
    if not sys.stdin.isatty():
        raise typer.BadParameter("a reason is needed, which the audit keeps: --why 'REASON'", param_hint="--why")
    return str(typer.prompt("Why are they discarded? (kept in the audit)")).strip()


@dataclass(frozen=True)
class Asked:
    """How a bulk act was asked for."""

    act: str
    everything: bool
    dry_run: bool
    rate: float | None
    trial: int
    patience: float
    skip_newer: bool
    why: str | None
    yes: bool
    as_json: bool


def run(here: Desk, wanted: LetterFilter, asked: Asked) -> int:
    """A bulk act with its question, progress bar and summary; the exit code."""
    if not wanted.narrows and not asked.everything:
        raise typer.BadParameter("name letters, a filter, or --all")
    matched = letter_search.count(here.db, wanted)
    if not matched:
        print_json(_shown(Summary(dry_run=asked.dry_run))) if asked.as_json else out.print("No open letter matches.")
        return REFUSED
    if not (asked.yes or asked.dry_run or asked.as_json) and (matched > 1 or asked.act == "discard"):
        typer.confirm(f"{asked.act.capitalize()} {counted(matched, 'dead letter')}?", abort=True)
    stop = threading.Event()
    with _signals(stop), _bar(asked, matched) as progress:
        manner = Manner(
            by=here.by, why=asked.why, dry_run=asked.dry_run, rate=asked.rate, trial=asked.trial,
            patience=asked.patience, settle=_settle(here, asked), skip_newer=asked.skip_newer, stopping=stop.is_set,
            progress=progress, wake=here.wake,
        )  # fmt: skip
        act = bulk_replays.replay_matching if asked.act == "replay" else bulk_replays.discard_matching
        summary = act(here.db, wanted, manner)
    print_json(_shown(summary)) if asked.as_json else _print_summary(summary)
    if summary.interrupted:
        return INTERRUPTED
    return REMAINS if summary.stopped or summary.died_again else 0


def _settle(here: Desk, asked: Asked) -> float:
    """Without a worker nothing would end, however long one waits."""
    return min(asked.patience, _SETTLE) if workers.live(here.db, here.settings.lease) else 0.0


def _shown(summary: Summary) -> dict[str, Any]:
    return summary_shown(summary) | {
        "remaining": summary.still_open,
        "died_again": summary.died_again,
        "unfinished": summary.unfinished,
    }


def _filter(
    here: Desk,
    ids: list[str],
    code: str | None,
    product: str | None,
    job: list[str] | None,
    error: str | None,
    fingerprint: str | None,
    since: str | None,
    queue: str | None,
    status: str = "open",
) -> LetterFilter:
    return LetterFilter(
        status=status,
        ids=[one for one in ids if not one.startswith("pdf_")],
        job_ids=[*(one for one in ids if one.startswith("pdf_")), *(job or [])],
        code=code,
        product_id=product,
        error=error,
        fingerprint=fingerprint,
        since=letter_search.moment_of(since, here.db.clock()) if since else None,
        queue=queue,
    )


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


def _print_groups(groups: list[dict[str, Any]]) -> None:
    print_table(
        ("letters", "queue", "error", "first", "last", "appeared", "in version", "fingerprint"),
        [
            (
                g["count"], g["queue"], g["error_code"], short(g["first_at"]), short(g["last_at"]),
                short(g["appeared_at"]), g["appeared_in_version"], g["fingerprint"],
            )
            for g in groups
        ],
    )  # fmt: skip
    for g in groups:
        example = g["example"]
        out.print(f"{g['error_code']}: {example['error']}", markup=False)
        out.print(f"  e.g. {example['dead_letter_id']}  {example['job_id'] or ''}  → {g['next_step']}", markup=False)


_WOULD = {"replayed": "would be replayed", "discarded": "would be discarded"}


def _print_summary(summary: Summary) -> None:
    outcomes = sorted(summary.outcomes.items())
    if summary.dry_run:
        would = ", ".join(f"{n} {_WOULD.get(outcome, f'would be left ({outcome})')}" for outcome, n in outcomes)
        out.print(
            f"Of {counted(summary.matched, 'open letter')} {would or 'none would be touched'}. Nothing was changed."
        )
    else:
        done = ", ".join(f"{n} {outcome}" for outcome, n in outcomes) or "nothing done"
        died = f"; {summary.died_again} died again" if summary.died_again else ""
        out.print(f"{done}{died}; {summary.still_open} of {summary.matched} remain open.")
    if summary.unfinished:
        have = "has" if summary.unfinished == 1 else "have"
        out.print(
            f"{summary.unfinished} {have} not ended yet; what dies again is shown by ops/reportq dead-letters list."
        )
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
