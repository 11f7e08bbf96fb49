"""`reportq config`: what the settings say, and whether they can be used."""

import os

import typer

from actors.process.runtime import build
from ops.commands.checks import faults
from ops.commands.options import Json
from ops.commands.terminal import REFUSED, out, print_pairs, told
from schema.settings import Settings

app = typer.Typer(help="The settings.", no_args_is_help=True)


@app.command()
def show(as_json: Json = False) -> None:
    """Every setting with its value; secrets only as set or not."""
    values = Settings.from_env(os.environ).shown()
    told(as_json, values, lambda: print_pairs(values.items()))


@app.command()
def check(as_json: Json = False) -> None:
    """Read every setting and ask everything they name; exit code 1 when something cannot be used."""
    settings = Settings.from_env(os.environ)
    runtime = build(settings)
    try:
        found = {one.name: fault for one, fault in faults(runtime).items()}
    finally:
        runtime.close()
    told(as_json, {name: fault or "fine" for name, fault in found.items()}, lambda: _print(found))
    if any(found.values()):
        raise typer.Exit(REFUSED)


def _print(found: dict[str, str | None]) -> None:
    for name, fault in found.items():
        out.print(f"{'[red]✗[/]' if fault else '[green]✓[/]'} {name}", end=f"  {fault}\n" if fault else "\n")
