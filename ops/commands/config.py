"""`reportq config`: what the settings say, and whether they can be used."""

from __future__ import annotations

import os
from collections.abc import Callable

import typer

from actors.runtime import build
from ops.commands.terminal import REFUSED, Json, out, print_json, print_table
from schema import api_keys
from schema.allow_list import AllowList
from schema.errors import ReportqError
from schema.migrate import pending
from schema.settings import Settings, SettingsError

app = typer.Typer(help="The settings.", no_args_is_help=True)


@app.command()
def show(as_json: Json = False) -> None:
    """Every setting with its value; secrets only as set or not."""
    values = Settings.from_env(os.environ).shown()
    print_json(values) if as_json else print_table(("setting", "value"), list(values.items()))


@app.command()
def check(as_json: Json = False) -> None:
    """Read every setting and ask everything they name; exit code 1 when something cannot be used."""
    settings = Settings.from_env(os.environ)
    runtime = build(settings)
    asks: dict[str, Callable[[], object]] = {
        "REPORTQ_WEBHOOK_ALLOW": lambda: AllowList.parse(settings.webhook_allow),
        "REPORTQ_DATABASE_URL": lambda: runtime.db.ping(),
        "migrations": lambda: _none_pending(pending(runtime.db)),
        "keys": lambda: api_keys.require_keys(runtime.db, settings),
        "REPORTQ_DOCUMENTS_URL": lambda: runtime.documents.ping(),
        "REPORTQ_ARTIFACTS_URL": lambda: runtime.artifacts.ping(),
        "REPORTQ_BROKER_URL": lambda: None if settings.embedded else runtime.publisher.ping(),
    }
    found = {name: _asked(ask) for name, ask in asks.items()}
    runtime.close()
    if as_json:
        print_json({name: fault or "fine" for name, fault in found.items()})
    else:
        for name, fault in found.items():
            out.print(f"{'[red]✗[/]' if fault else '[green]✓[/]'} {name}", end="" if fault else "\n")
            if fault:
                out.print(f"  {fault}", markup=False)
    if any(found.values()):
        raise typer.Exit(REFUSED)


def _asked(ask: Callable[[], object]) -> str | None:
    try:
        ask()
    except ReportqError as error:
        return error.detail
    except (SettingsError, ValueError) as error:
        return str(error)
    except Exception as error:  # whatever a client library raises
        return f"{type(error).__name__} (the URL may be wrong, or the server away)"
    return None


def _none_pending(steps: list[str]) -> None:
    if steps:
        raise ValueError(f"{', '.join(steps)} not applied yet: starting the service does it.")
