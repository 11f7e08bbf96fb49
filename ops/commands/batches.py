"""`reportq batches`: jobs that were asked for together; look at one, list, cancel, replay what failed."""

import contextlib

import msgspec
import typer

from ops.commands.jobs import callable_
from ops.commands.options import Callback, FailureCallback, Json, Limit, Status, Why
from ops.commands.terminal import counted, desk, print_json, print_pairs, print_table, short, told
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
def list_(limit: Limit = 50, as_json: Json = False) -> None:
    """Batches, newest first, with how many of their jobs are in which state."""
    with desk() as here:
        found = [msgspec.to_builtins(summary_of(row)) for row in batches.page(here.db, None, limit)]
    rows = [(*(one[name] for name in _COLUMNS), short(one["created_at"])) for one in found]
    told(as_json, {"batches": found}, lambda: print_table((*_COLUMNS, "created"), rows))


@app.command()
def show(batch_id: str, status: Status = None, as_json: Json = False) -> None:
    """One batch: its counts, its callback, and what became of each job, in the order of submission."""
    with desk() as here, contextlib.closing(open_documents(here.settings.documents_url, here.db)) as documents:
        row = one_batch(here.db, batch_id)
        webhook = webhook_of(here.db, batch_id, row)
        members = batches.members(here.db, documents, row, 0, row["total"])
    results = [msgspec.to_builtins(result_of(one)) for one in members if status in (None, one["status"])]
    about = msgspec.to_builtins(summary_of(row))
    if as_json:
        print_json(about | {"webhook": webhook, "results": results})
        return
    print_pairs({**about, "callback": webhook and webhook.state, "hint": webhook and webhook.hint}.items())
    columns = ("job_id", "status", "code", "product_id")
    rows = [(*(one[name] for name in columns), one["error"]["code"] if one["error"] else None) for one in results]
    print_table((*columns, "error_code"), rows)


@app.command()
def cancel(batch_id: str, as_json: Json = False) -> None:
    """Cancel the jobs of a batch that have not ended."""
    with desk() as here:
        done = cancel_batch(here.db, batch_id)
        here.wake()
    told(
        as_json,
        done,
        f"{counted(done.cancelled, 'job')} cancelled, {done.cancel_requested} will stop at the next checkpoint, "
        f"{done.too_late} too late: the PDF is being stored.",
    )


@app.command()
def replay(
    batch_id: str,
    callback: Callback = None,
    failure_callback: FailureCallback = None,
    why: Why = None,
    as_json: Json = False,
) -> None:
    """The failed jobs of a batch once more, with a fresh budget; its next end is told once."""
    with desk() as here:
        callable_(here.settings, callback, failure_callback)
        done = replay_batch(here.db, batch_id, Replay(callback, failure_callback, why), here.by)
        here.wake()
    told(as_json, done, f"{counted(done.replayed, 'job')} of it {'runs' if done.replayed == 1 else 'run'} again.")
