"""What all commands share: the open database, who acts, tables and JSON, failures as sentences."""

from __future__ import annotations

import getpass
import json
import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schema.database import Database, DatabaseDown
from schema.errors import ReportqError
from schema.migrate import pending
from schema.problems import problem_of
from schema.settings import Settings, SettingsError
from schema.wakeup import Waker

REFUSED, REMAINS, UNAVAILABLE, INTERRUPTED = 1, 3, 4, 130

# Into a file or a pipe nothing is cut or folded.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 250)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]
Why = Annotated[str | None, typer.Option("--why", help="The reason, kept in the audit.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(frozen=True)
class Desk:
    """The database and who stands before it."""

    settings: Settings
    db: Database
    wake: Waker
    by: str


@contextmanager
def desk() -> Iterator[Desk]:
    """The database of the settings in the environment; raises DatabaseDown when it was never set up."""
    settings = Settings.from_env(os.environ)
    db = Database(settings.database_url)
    wake = Waker(settings.run_dir)
    try:
        steps = pending(db)
        if steps:
            raise DatabaseDown(
                f"The database lacks {', '.join(steps)}: start the service once, or check REPORTQ_DATABASE_URL."
            )
        yield Desk(settings, db, wake, f"cli:{getpass.getuser()}@{socket.gethostname()}"[:128])
    finally:
        wake.close()
        db.close()


def explained(command: Callable[[], Any]) -> int:
    """Run a command; its exit code. What can be expected to go wrong is told in one sentence."""
    try:
        command()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except DatabaseDown as error:
        err.print(f"[red]The database cannot be used:[/] {escape(error.detail)}")
        return UNAVAILABLE
    except SettingsError as error:
        err.print(f"[red]A setting cannot be used:[/] {escape(str(error))}")
        return UNAVAILABLE
    except ReportqError as error:
        err.print(f"[red]{escape(error.detail)}[/] {escape(problem_of(error.code).next_step)} ({error.code})")
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def print_json(value: object) -> None:
    """The value on stdout, whole and uncoloured."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """A table that keeps its columns' order; nothing in a cell is read as markup."""
    table = Table(*columns, title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    out.print(table)


def age(seconds: float) -> str:
    """Seconds as people say them."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def short(moment: str | None) -> str:
    """An RFC 3339 moment to the second."""
    return "" if moment is None else f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M:%S}Z"
