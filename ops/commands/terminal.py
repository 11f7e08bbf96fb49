"""What all commands share: the open database, who acts, tables and JSON, failures as sentences."""

import getpass
import json
import os
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import peewee
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from actors.publish.wakeup import Waker
from schema.callbacks.allow_list import AllowList
from schema.environment.fitting import fit
from schema.environment.server_urls import sqlite_path, without_password
from schema.errors import ReportqError
from schema.http.problems import problem_of
from schema.settings import Settings, SettingsError
from schema.sql.database import Database, DatabaseDown
from schema.sql.migrate import pending
from schema.sql.times import moment

STARTED = time.monotonic()  # of this command, nearly
REFUSED, WRONG_USAGE, REMAINS, UNAVAILABLE, INTERRUPTED = 1, 2, 3, 4, 130

# Into a file or a pipe nothing is cut or folded.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 10_000)
err = Console(stderr=True, highlight=False, soft_wrap=True)

# The next step where the catalogue's speaks of the API; an empty one: the sentence before it says enough.
_INSTEAD = {
    "invalid_request": "",
    "job_not_found": "See ops/reportq jobs list; ended jobs are kept for a limited time.",
    "batch_not_found": "See ops/reportq batches list; ended batches are kept for a limited time.",
    "queue_not_found": "See ops/reportq queues list.",
    "dead_letter_not_found": "See ops/reportq dead-letters list --letters for those that are open.",
    "delivery_not_found": "See ops/reportq webhooks log JOB_ID for the job's own.",
    "needs_force": "Give --force if the receiver may be told twice.",
    "not_resendable": "See ops/reportq jobs show JOB_ID, or replay the job: ops/reportq jobs replay JOB_ID --callback URL.",
    "callback_refused": "Use an http(s) URL with a public host, or list the host in REPORTQ_WEBHOOK_ALLOW.",
    "database_busy": "Give the same command again.",
    "storage_unavailable": "Give the same command again once it answers.",
    "mongodb_unavailable": "Give the same command again once MongoDB answers.",
    "drive_unavailable": "Give the same command again once Google Drive answers.",
    "folder_unavailable": "Repair its disk, mount or permissions, then give the same command again.",
    "dependency_unavailable": "See ops/reportq doctor, then give the same command again.",
    "temporary_failure": "Correct what it names, then give the same command again.",
}

# Columns that are copied from the screen into the next command.
_IDS = ("job_id", "batch_id", "dead_letter_id", "delivery_id", "fingerprint", "key", "worker")

QUICK = {"connect_timeout": 1.0, "io_timeout": 1.2}  # seconds: with what starts and shows a command, three in all


@dataclass(frozen=True)
class Desk:
    """The database and who stands before it."""

    settings: Settings
    db: Database
    wake: Waker
    by: str


@contextmanager
def desk(*, quick: bool = False) -> Iterator[Desk]:
    """The database of the settings in the environment; raises DatabaseDown when it was never set up.

    With `quick` no question to it takes longer than a person waits: it is asked for little.
    """
    settings = Settings.from_env(os.environ)
    there(settings)
    db = Database(settings.database_url, **(QUICK if quick else {}))
    wake = Waker(settings.run_dir)
    try:
        if away := migrated(db):
            raise away
        yield Desk(settings, db, wake, _operator())
    finally:
        wake.close()
        db.close()


def migrated(db: Database) -> DatabaseDown | None:
    """Why the database cannot be used: it does not answer, or was never brought up to date; None when it can be."""
    try:
        steps = pending(db)
    except DatabaseDown as error:
        return error
    lacks = f"It lacks {', '.join(steps)}: start the service once, or check REPORTQ_DATABASE_URL."
    return DatabaseDown(lacks) if steps else None


def _operator() -> str:
    """Who types, for the audit."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user that has no name
        user = f"uid{os.getuid()}"
    return fit(f"cli:{user}@{socket.gethostname()}", 128)


def there(settings: Settings) -> None:
    """Raise DatabaseDown when SQLite's file is missing: opening it would make it, and only the service does that."""
    if not settings.database_url.startswith("sqlite:"):
        return
    path = sqlite_path(settings.database_url)
    if not Path(path).is_file():
        raise DatabaseDown(f"There is no file {path}: start the service once, or check REPORTQ_DATABASE_URL.")


def allowed(settings: Settings) -> AllowList:
    """Where callbacks may go beyond the public internet; raises SettingsError."""
    try:
        return AllowList.parse(settings.webhook_allow)
    except ValueError as error:
        raise SettingsError(
            "REPORTQ_WEBHOOK_ALLOW", "something else", f"hosts and networks. {error}".rstrip(".")
        ) from None


def explained(command: Callable[[], Any]) -> int:
    """Run a command; its exit code. What can be expected to go wrong is told in one sentence."""
    try:
        command()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except DatabaseDown as error:
        return _no_database(error.detail)
    except (peewee.PeeweeException, sqlite3.Error) as error:
        return _no_database(words_of(error))
    except SettingsError as error:
        err.print(f"[red]A setting cannot be used:[/] {escape(str(error))}")
        return UNAVAILABLE
    except ReportqError as error:
        step = error.fields.get("next_step") or next_step(error.code)  # what fits this very case comes first
        err.print(f"[red]{escape(error.detail)}[/] {escape(str(step))}".rstrip(), f"({error.code})")
        return WRONG_USAGE if error.code == "invalid_request" else REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def words_of(error: Exception) -> str:
    """What a database's driver says, without its number."""
    said = error.args[-1] if error.args and isinstance(error.args[-1], str) else str(error)
    return said.strip() or type(error).__name__


def next_step(code: str) -> str:
    """What to do about a problem at a terminal, where the catalogue's step may speak of requests."""
    return _INSTEAD[code] if code in _INSTEAD else problem_of(code).next_step


def _no_database(why: str) -> int:
    url = without_password(Settings.from_env(os.environ).database_url)
    err.print(f"[red]The database cannot be used:[/] {escape(url)}: {escape(why)}")
    return UNAVAILABLE


def columns_of(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """These columns of a row for JSON; moments, whose names end with `_at`, become RFC 3339."""
    return {name: moment(row[name]) if name.endswith("_at") else row[name] for name in names}


def counted(number: int, noun: str) -> str:
    """`1 letter`, `2 letters`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def print_json(value: object) -> None:
    """The value on stdout, whole and uncoloured; it may hold the API's structs."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: object) -> object:
    return msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else str(value)


def told(as_json: bool, document: object, shown: str | Callable[[], object]) -> None:
    """What a command found or did: for programs, or for people, in a sentence or as it is printed."""
    if as_json:
        print_json(document)
    elif isinstance(shown, str):
        out.print(shown)
    else:
        shown()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table that keeps its columns' order; nothing in a cell is read as markup, no word of it is ever cut.

    Where it is too wide for the terminal even with its cells broken between words, each row becomes a few lines.
    """
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    words = [
        max((cell_len(word) for text in (name, *(row[n] for row in cells)) for word in text.split()), default=0)
        for n, name in enumerate(columns)
    ]
    if sum(words) + len(words) - 1 > out.width:
        _print_rows(columns, cells)
        return
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name, least in zip(columns, words, strict=True):
        table.add_column(name, overflow="fold", min_width=least, no_wrap=name in _IDS)
    for row in cells:
        table.add_row(*map(escape, row))
    out.print(table)


def print_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values, each pair in a line of its own that only the terminal may break."""
    known = [(name, str(value)) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        out.print(f"{name:{width}} {value}", markup=False)


def _print_rows(columns: Sequence[str], rows: list[list[str]]) -> None:
    """Each row: its ids, then everything else that it holds, with the names of the columns."""
    for row in rows:
        held = [(name, cell) for name, cell in zip(columns, row, strict=True) if cell]
        ids = [cell for name, cell in held if name in _IDS]
        rest = [f"{name} {cell}".strip() for name, cell in held if name not in _IDS]
        for line in _filled(ids, out.width):
            out.print(line, markup=False, style="bold")
        for line in _filled(rest, out.width - 2):
            out.print(f"  {line}", markup=False)


def _filled(parts: list[str], width: int) -> list[str]:
    """As many parts in a line as have room, none of them broken."""
    lines: list[str] = []
    for part in parts:
        if lines and cell_len(lines[-1]) + 2 + cell_len(part) <= width:
            lines[-1] += f"  {part}"
        else:
            lines.append(part)
    return lines


def age(seconds: float) -> str:
    """Seconds as people say them."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def short(at: str | None) -> str:
    """An RFC 3339 moment to the second."""
    return "" if at is None else f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M:%S}Z"
