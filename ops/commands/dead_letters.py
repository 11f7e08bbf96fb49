"""`reportq dead-letters`: what died, grouped by why; replay and discard."""

import sys
import time
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import typer

from actors.desk.bulk_replays import TRIAL, Manner
from ops.commands.bulk import Asked, run
from ops.commands.options import Code, DryRun, Error, Json, Limit, Product, Rate, Trial, Why, Yes, one_of, with_options
from ops.commands.terminal import Desk, counted, desk, out, print_json, print_pairs, print_table, short, told
from schema.rows import letter_search
from schema.rows.letter_search import LetterFilter
from schema.rows.messages import QUEUES
from service.routes.dead_letters import grouped, letter_shown, one_letter

app = typer.Typer(help="Jobs, callbacks and messages that died.", no_args_is_help=True)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Letters (dl_…) or jobs (pdf_…).")]
Everything = Annotated[bool, typer.Option("--all", help="Every open letter.")]


@dataclass(frozen=True)
class Chosen:
    """The options that choose letters; each one given narrows the choice."""

    code: Code = None
    product: Product = None
    job: Annotated[list[str] | None, typer.Option(help="Only these jobs; may be repeated.")] = None
    error: Error = None
    fingerprint: Annotated[str | None, typer.Option("--fingerprint", help="Only this group.")] = None
    since: Annotated[str | None, typer.Option(help="Died since: 2h, 30m, 1d or an RFC 3339 moment.")] = None
    queue: Annotated[str | None, typer.Option(help="pdf or webhooks.", callback=one_of(QUEUES))] = None

    def letters(self, here: Desk, ids: list[str] | None = None, status: str = "open") -> LetterFilter:
        """The filter for the database; `ids` are letters or jobs."""
        named = ids or []
        return LetterFilter(
            status=status, code=self.code, product_id=self.product, error=self.error, fingerprint=self.fingerprint,
            queue=self.queue, ids=[one for one in named if not one.startswith("pdf_")],
            job_ids=[*(one for one in named if one.startswith("pdf_")), *(self.job or [])],
            since=letter_search.moment_of(self.since, here.db.clock()) if self.since else None,
        )  # fmt: skip


@app.command("list")
@with_options
def list_(
    chosen: Chosen,
    *,
    status: Annotated[
        str, typer.Option(help="open, replayed or discarded.", callback=one_of(letter_search.STATUSES))
    ] = "open",
    letters: Annotated[bool, typer.Option("--letters", help="Single letters instead of groups.")] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Groups by error, the most frequent first (or single letters)."""
    with desk() as here:
        wanted = chosen.letters(here, status=status)
        began = time.monotonic()
        if letters:
            found = [msgspec.to_builtins(letter_shown(row)) for row in letter_search.page(here.db, wanted, limit)]
            shown: dict[str, Any] = {"letters": found, "total": letter_search.count(here.db, wanted)}
        else:
            shown = msgspec.to_builtins(grouped(here.db, wanted, limit))
        seconds = time.monotonic() - began
    if as_json:
        print_json(shown | {"took_ms": round(seconds * 1000, 1)})
    elif letters:
        columns = ("dead_letter_id", "job_id", "queue", "code", "product_id", "error_code", "attempts")
        print_table((*columns, "died"), [(*(r[c] for c in columns), short(r["last_failed_at"])) for r in found])
        out.print(f"{counted(shown['total'], 'letter')} ({seconds * 1000:.0f} ms)")
    else:
        _print_groups(shown["groups"])
        groups = counted(len(shown["groups"]), "group")
        out.print(f"{counted(shown['total'], 'letter')} in {groups} ({seconds * 1000:.0f} ms)")


@app.command()
def show(letter_id: str, as_json: Json = False) -> None:
    """Everything about one letter."""
    with desk() as here:
        letter = msgspec.to_builtins(one_letter(here.db, letter_id))
    told(as_json, letter, lambda: _print(letter))


def _print(letter: dict[str, Any]) -> None:
    acts, traceback, raw = letter.pop("acts"), letter.pop("traceback"), letter.pop("raw")
    print_pairs(letter.items())
    for act in acts:
        out.print(f"{short(act['at'])}  {act['who']}  {act['act']}  {act['why'] or ''}", markup=False)
    for text in filter(None, (traceback, raw)):
        out.print(f"\n{text}", markup=False)


@app.command()
@with_options
def replay(
    ids: Ids = None,
    everything: Everything = False,
    *,
    chosen: Chosen,
    dry_run: DryRun = False,
    rate: Rate = None,
    trial: Trial = TRIAL,
    patience: Annotated[float, typer.Option(help="Seconds to wait for the first ones to end.")] = 120.0,
    skip_newer: Annotated[bool, typer.Option("--skip-newer", help="Leave out what a newer job has completed.")] = False,
    why: Why = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Try again, with a fresh budget: one, some, or all that match. Safe to interrupt and to repeat.

    A callback's letter is sent again without rendering. The first letters of each error go ahead. When they fail again
    in the same way, the rest of that error is left alone and the exit code is 3. Errors with no more letters than a
    trial takes are sent whole. Their ends are waited for 15 seconds at most; the exit code is 3 when one failed again.
    """
    with desk() as here:
        how = Manner(
            by=here.by, why=why, dry_run=dry_run, rate=rate, trial=trial, patience=patience, skip_newer=skip_newer
        )
        code = run(here, chosen.letters(here, ids), Asked("replay", everything, yes, as_json), how)
    raise typer.Exit(code)


@app.command()
@with_options
def discard(
    ids: Ids = None,
    everything: Everything = False,
    *,
    chosen: Chosen,
    dry_run: DryRun = False,
    why: Annotated[str | None, typer.Option("--why", help="The reason, kept in the audit: needed.")] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Close letters without trying again: for good, so a reason is needed."""
    if not (why or "").strip() and not dry_run:
        why = _asked_why()
    with desk() as here:
        how = Manner(by=here.by, why=why, dry_run=dry_run)
        code = run(here, chosen.letters(here, ids), Asked("discard", everything, yes, as_json), how)
    raise typer.Exit(code)


def _asked_why() -> str:
    if not sys.stdin.isatty():
        raise typer.BadParameter("a reason is needed, which the audit keeps: --why 'REASON'", param_hint="--why")
    return str(typer.prompt("Why are they discarded? (kept in the audit)")).strip()


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
