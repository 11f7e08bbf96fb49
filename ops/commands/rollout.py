"""`reportq rollout`: the migration from the synchronous to the asynchronous endpoint (ops/MIGRATION.md)."""

from typing import Annotated, Literal

import typer

from ops.commands.options import Json
from ops.commands.terminal import desk, err, told
from schema.rows import switches

app = typer.Typer(help="How far the synchronous endpoint has been replaced.", no_args_is_help=True)


@app.command()
def show(as_json: Json = False) -> None:
    """The share of codes answered at once, and whether the synchronous endpoint is served."""
    with desk() as here:
        rollout = switches.stored(here.db, here.settings)
    served = "served" if rollout.sync_enabled else "switched off (410)"
    told(
        as_json,
        {"percent": rollout.percent, "sync_enabled": rollout.sync_enabled},
        f"{rollout.percent} % of codes are answered at once; the synchronous endpoint is {served}.",
    )


@app.command("set")
def set_(
    percent: Annotated[
        int | None, typer.Option(help="Share of codes that POST …/generate answers 202 at once.")
    ] = None,
    sync: Annotated[Literal["on", "off"] | None, typer.Option(help="Whether POST …/generate is served.")] = None,
    as_json: Json = False,
) -> None:
    """Turn a switch; every API process follows within REPORTQ_SWITCH_POLL seconds."""
    if percent is None and sync is None:
        raise typer.BadParameter("give --percent, --sync, or both")
    with desk() as here:
        try:
            sync_enabled = None if sync is None else sync == "on"
            switches.set_rollout(here.db, by=here.by, percent=percent, sync_enabled=sync_enabled)
        except ValueError as error:
            err.print(f"[red]{error}[/]")
            raise typer.Exit(2) from None
    show(as_json)
