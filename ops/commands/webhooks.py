"""`reportq webhooks`: the delivery log, sending again, and a signed example to try a receiver with."""

from typing import Annotated

import typer

from actors.desk.bulk_replays import TRIAL, Manner
from ops.commands.bulk import Asked, run
from ops.commands.options import DryRun, Error, Json, Rate, Trial, Why, Yes
from ops.commands.send_example import send_example
from ops.commands.terminal import desk, out, print_table, short, told
from schema.http.responses import Delivery
from schema.rows.letter_search import LetterFilter, moment_of
from service.routes.deliveries import delivery_log
from service.routes.deliveries import resend as resend_one

app = typer.Typer(help="Callbacks.", no_args_is_help=True)


@app.command()
def log(job_id: str, as_json: Json = False) -> None:
    """Every callback of a job with all its attempts."""
    with desk() as here:
        shown = delivery_log(here.db, job_id)
    told(as_json, shown, lambda: _print(shown.deliveries))


def _print(deliveries: list[Delivery]) -> None:
    for one in deliveries:
        next_try = f", next try {short(one.next_try_at)}" if one.next_try_at else ""
        out.print(f"{one.delivery_id}  round {one.round}  {one.event}  {one.state}{next_try}", markup=False)
        out.print(f"  {one.url or 'no callback URL'}{'  ' + one.hint if one.hint else ''}", markup=False)
        columns = ("number", "kind", "started_at", "outcome", "status", "failure", "duration_ms", "body_head")
        print_table(columns, [[getattr(attempt, column) for column in columns] for attempt in one.attempts])


@app.command()
def resend(
    delivery_id: str,
    force: Annotated[bool, typer.Option("--force", help="Although it was delivered already.")] = False,
    why: Why = None,
    as_json: Json = False,
) -> None:
    """Send one callback again (dlv_…); never to a resume URL that was used before."""
    with desk() as here:
        resend_one(here.db, delivery_id, by=here.by, why=why, force=force)
        here.wake()
    told(as_json, {"delivery_id": delivery_id, "state": "pending"}, "It will be sent at once.")


@app.command("resend-failed")
def resend_failed(
    since: Annotated[str, typer.Option(help="Died since: 2h, 30m, 1d or an RFC 3339 moment.")],
    error: Error = None,
    dry_run: DryRun = False,
    rate: Rate = None,
    trial: Trial = TRIAL,
    why: Why = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Every callback that died since a moment, without rendering again."""
    with desk() as here:
        wanted = LetterFilter(kind="delivery", error=error, since=moment_of(since, here.db.clock()))
        how = Manner(by=here.by, why=why, dry_run=dry_run, rate=rate, trial=trial, patience=120.0)
        code = run(here, wanted, Asked("replay", False, yes, as_json), how)
    raise typer.Exit(code)


app.command("send-example")(send_example)
