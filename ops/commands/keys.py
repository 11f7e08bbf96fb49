"""`reportq keys`: make, list and revoke API keys while everything runs; need none again."""

from typing import Annotated

import typer

from ops.commands.options import Json, Why, Yes
from ops.commands.terminal import REFUSED, columns_of, counted, desk, err, out, print_json, print_table, told
from schema.rows import keys

_FIRST = (
    "This is the first key. Within 3 seconds every call needs one: each n8n workflow and script, the console in the browser, "
    "Prometheus (/metrics), and the canary (REPORTQ_CANARY_KEY). Only /livez, /readyz and the documentation need none. "
    "`ops/reportq keys disable-auth` takes it back."
)
_NONE_LEFT = (
    "No key is left: every call is answered 401. Make one (`ops/reportq keys make NAME`), or need none again "
    "(`ops/reportq keys disable-auth`)."
)

app = typer.Typer(help="API keys. Once one was made, every caller needs one.", no_args_is_help=True)


@app.command()
def make(
    name: Annotated[str, typer.Argument(help="Whose key it is; the owner of jobs and idempotency keys.")],
    role: Annotated[str, typer.Option(help="read, submit or operate: each may do what the one before may.")] = "submit",
    rate: Annotated[
        int | None, typer.Option(help="Requests a minute; 0: no limit; default: REPORTQ_RATE_LIMIT.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make a key and show it, once: only its hash is kept. The first one locks out everybody who sends none."""
    with desk() as here:
        if not keys.KeyRing(here.db, here.settings).in_use:
            err.print(_FIRST, markup=False)
            if not yes:
                typer.confirm("Make the first key?", abort=True, err=True)
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
    names = ("key_id", "name", "role", "rate", "created_at", "revoked_at")
    shown = [columns_of(row, *names) for row in rows]
    columns = ("key", "name", "role", "a minute", "made", "revoked")
    told(as_json, {"keys": shown}, lambda: print_table(columns, [tuple(row.values()) for row in shown]))


@app.command()
def revoke(
    named: Annotated[str, typer.Argument(help="A key_id of `keys list`, or a name: all its keys.")], why: Why = None
) -> None:
    """Make keys useless, within 3 seconds everywhere; exit code 1 when there is no such active key."""
    with desk() as here:
        done = keys.revoke(here.db, named, by=here.by, why=why)
        left = here.settings.api_keys or any(row["revoked_at"] is None for row in keys.everything(here.db))
    if not done:
        err.print(f"There is no active key {named}.", style="red", markup=False)
        raise typer.Exit(REFUSED)
    for key_id in done:
        out.print(f"{key_id} is revoked.", markup=False)
    if not left:
        err.print(_NONE_LEFT, markup=False)


@app.command("disable-auth")
def disable_auth(why: Why = None, yes: Yes = False) -> None:
    """Forget every key, so that no call needs one; only where no other machine can reach the API."""
    with desk() as here:
        why_not = ""
        if here.settings.api_keys:
            why_not = "REPORTQ_API_KEYS names keys: take them out, and restart the API first."
        elif not (here.settings.loopback and here.settings.public_is_loopback):
            why_not = "Other machines or a proxy can reach this API (REPORTQ_HOST, REPORTQ_PUBLIC_URL): it needs keys."
        if why_not:
            err.print(why_not, style="red", markup=False)
            raise typer.Exit(REFUSED)
        if not yes:
            typer.confirm("Every program of this machine becomes an operator. Go on?", abort=True, err=True)
        count = keys.forget_all(here.db, by=here.by, why=why)
    out.print(f"{counted(count, 'key')} forgotten. Within 3 seconds no call needs one.")
