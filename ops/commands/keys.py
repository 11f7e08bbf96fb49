"""`reportq keys`: make, list and revoke API keys while everything runs."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.commands.terminal import REFUSED, Json, Why, desk, err, out, print_json, print_table
from schema.rows import keys
from schema.sql.times import moment

app = typer.Typer(help="API keys. Once one was made, every caller needs one.", no_args_is_help=True)


@app.command()
def make(
    name: Annotated[str, typer.Argument(help="Whose key it is; the owner of jobs and idempotency keys.")],
    role: Annotated[str, typer.Option(help="read, submit or operate: each may do what the one before may.")] = "submit",
    rate: Annotated[
        int | None, typer.Option(help="Requests a minute; 0: no limit; default: REPORTQ_RATE_LIMIT.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key and show it, once: only its hash is kept."""
    with desk() as here:
        try:
            key_id, key = keys.make(here.db, name, role, by=here.by, rate=rate)
        except ValueError as error:
            err.print(f"[red]{error}[/]")
            raise typer.Exit(2) from None
    if as_json:
        print_json({"key_id": key_id, "name": name, "role": role, "rate": rate, "key": key})
    else:
        err.print(f"{key_id}: {name} may {role}. The key is shown this once:")
        print(key)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Every key that was ever made; none is shown."""
    with desk() as here:
        rows = keys.everything(here.db)
    shown = [
        {
            "key_id": row["key_id"],
            "name": row["name"],
            "role": row["role"],
            "rate": row["rate"],
            "created_at": moment(row["created_at"]),
            "revoked_at": moment(row["revoked_at"]),
        }
        for row in rows
    ]
    if as_json:
        print_json({"keys": shown})
    else:
        print_table(("key", "name", "role", "a minute", "made", "revoked"), [tuple(row.values()) for row in shown])


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The key_id of `keys list`.")], why: Why = None) -> None:
    """Make a key useless, within 3 seconds everywhere; exit code 1 when there is no such active key."""
    with desk() as here:
        done = keys.revoke(here.db, key_id, by=here.by, why=why)
    if not done:
        err.print(f"[red]There is no active key {key_id}.[/]")
        raise typer.Exit(REFUSED)
    out.print(f"{key_id} is revoked.", markup=False)
