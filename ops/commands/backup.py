"""`reportq backup`: the rows (and the embedded default's PDFs) into a folder, and back."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ops import backups
from ops.commands.options import Yes
from ops.commands.terminal import counted, out, there
from schema.environment.server_urls import without_password
from schema.settings import Settings

app = typer.Typer(help="Backup and restore.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="The backup's folder.")]


@app.command()
def make(
    folder: Folder,
    verify: Annotated[bool, typer.Option("--verify", help="Read it back, whole, and compare.")] = False,
) -> None:
    """One moment's picture, taken while everything runs."""
    settings = Settings.from_env(os.environ)
    there(settings)
    for path in backups.make(settings, folder):
        out.print(str(path), markup=False)
    if verify:
        check(folder)


@app.command("verify")
def check(folder: Folder) -> None:
    """Read a backup back and compare it with its manifest; a restore does that first."""
    rows = backups.verify(folder)
    out.print(f"Verified: {counted(sum(rows.values()), 'row')} in {counted(len(rows), 'table')}.")


@app.command()
def restore(folder: Folder, yes: Yes = False) -> None:
    """Put a backup into an empty database; stop everything before."""
    settings = Settings.from_env(os.environ)
    if not yes:
        typer.confirm(f"Restore {folder} into {without_password(settings.database_url)}?", abort=True)
    waiting = backups.restore(settings, folder)
    are = "is" if waiting == 1 else "are"
    out.print(f"Restored. {counted(waiting, 'row')} {are} published again when the service starts.")
