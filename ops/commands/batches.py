"""`reportq batches`: jobs that were asked for together; look at one, list, cancel, replay what failed."""

from __future__ import annotations

import contextlib
from typing import Annotated

import msgspec
import typer

from ops.commands.jobs import STATUSES, callable_
from ops.commands.terminal import Json, Why, counted, desk, one_of, out, print_json, print_pairs, print_table, short
from schema.documents import open_documents
from schema.http.batch_responses import result_of, summary_of
from schema.http.requests import Replay
from schema.rows import batches
from service.routes.batches import cancel as cancel_batch
from service.routes.batches import one_batch
from service.routes.batches import replay as replay_batch
from service.routes.jobs import webhook_of

app = typer.Typer(help="Jobs that were asked for together.", no_args_is_help=True)

_COLUMNS = ("batch_id", "status", "round", "total", "open", "completed", "failed", "cancelled")


@app.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50, as_json: Json = False) -> None:
    """Batches, newest first, with how many of their jobs are in which state."""
    with desk() as here:
        found = [msgspec.to_builtins(summary_of(row)) for row in batches.page(here.db, None, limit)]
    if as_json:
        print_json({"batches": found})
        return
    print_table(
        (*_COLUMNS, "created"), [(*(one[name] for name in _COLUMNS), short(one["created_at"])) for one in found]
    )


@app.command()
def show(
    batch_id: str,
    status: Annotated[
        str | None,
        typer.Option(
            help="Only jobs that are queued, processing, completed, failed or cancelled.", callback=one_of(STATUSES)
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """One batch: its counts, its callback, and what became of each job, in the order of submission."""
    with desk() as here, contextlib.closing(open_documents(here.settings.documents_url, here.db)) as documents:
        row = one_batch(here.db, batch_id)
        told = msgspec.to_builtins(webhook_of(here.db, batch_id, row))
        members = batches.members(here.db, documents, row, 0, row["total"])
    results = [msgspec.to_builtins(result_of(one)) for one in members if status in (None, one["status"])]
    about = msgspec.to_builtins(summary_of(row))
    if as_json:
        print_json(about | {"webhook": told, "results": results})
        return
    print_pairs({**about, "callback": told and told["state"], "hint": told and told["hint"]}.items())
    columns = ("job_id", "status", "code", "product_id")
    rows = [(*(one[name] for name in columns), one["error"]["code"] if one["error"] else None) for one in results]
    print_table((*columns, "error_code"), rows)


@app.command()
def cancel(batch_id: str, as_json: Json = False) -> None:
    """Cancel what has not ended of a batch."""
    with desk() as here:
        done = cancel_batch(here.db, batch_id)
        here.wake()
    if as_json:
        print_json(msgspec.to_builtins(done))
        return
    out.print(
        f"{counted(done.cancelled, 'job')} cancelled, {done.cancel_requested} will stop at the next checkpoint, "
        f"{done.too_late} too late: the PDF is being stored."
    )


@app.command()
def replay(
    batch_id: str,
    callback: Annotated[str | None, typer.Option(help="A new callback URL of the batch.")] = None,
    failure_callback: Annotated[str | None, typer.Option(help="A new failure URL of the batch.")] = None,
    why: Why = None,
    as_json: Json = False,
) -> None:
    """The failed jobs of a batch once more, with a fresh budget; its next end is told once."""
    with desk() as here:
        callable_(here.settings, callback, failure_callback)
        done = replay_batch(here.db, batch_id, Replay(callback, failure_callback, why), here.by)
        here.wake()
    if as_json:
        print_json(msgspec.to_builtins(done))
    else:
        out.print(f"{counted(done.replayed, 'job')} of it {'runs' if done.replayed == 1 else 'run'} again.")
