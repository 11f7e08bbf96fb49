"""Backup and restore of what cannot be made again: the rows, and in the embedded default the PDFs beside them.

MongoDB and Google Drive are backed up with their own tools. A backup is taken while everything runs; it shows one
moment (a single transaction, or SQLite's own online backup). A restore needs everything stopped. Afterwards every
waiting row is published again, since the broker knows nothing of that moment.

No tool of a database is needed, so that it works in the image too, and on MySQL as on MariaDB. The file of rows is SQL,
one statement a line: the database's own client can read it. `manifest.json` is written last. It names every file with
its SHA-256 and every table with its rows: without it a backup is unfinished.
"""

import contextlib
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql

from ops import sql_dump
from schema import VERSION
from schema.environment import server_urls
from schema.errors import ReportqError
from schema.rows import outbox
from schema.settings import Settings
from schema.sql.database import Database
from schema.sql.migrate import migrate

MANIFEST = "manifest.json"


class BackupFailed(ReportqError):
    """What is wrong with the folder, or what the database said."""

    code = "backup_failed"


def make(settings: Settings, folder: Path) -> list[Path]:
    """Write the backup into an empty or new folder, closed to others; returns its files."""
    if (pdfs := _pdf_folder(settings)) is not None and folder.resolve().is_relative_to(pdfs.resolve()):
        raise BackupFailed(f"{folder} lies in the folder of the PDFs, which is to be copied.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise BackupFailed(f"{folder} is not empty.")
    with _told("backup"):
        if settings.database_url.startswith("sqlite"):
            target = _closed_file(folder / "reportq.db")
            with closing(sqlite3.connect(_sqlite_path(settings))) as live, closing(sqlite3.connect(target)) as copy:
                live.backup(copy)
                rows = _counted(copy)
        else:
            with _closed_file(folder / "reportq.sql").open("wb") as sink, closing(_database(settings)) as db:
                rows = sql_dump.write(db, sink)
        if pdfs is not None:
            _copy(pdfs, folder / "artifacts")
    files = {str(file.relative_to(folder)): _digest(file) for file in sorted(folder.rglob("*")) if file.is_file()}
    manifest = {"version": VERSION, "rows": rows, "files": files}
    _closed_file(folder / MANIFEST).write_text(json.dumps(manifest, indent=1))
    return sorted(folder.iterdir())


def verify(folder: Path) -> dict[str, int]:
    """Read a backup back, whole; returns its rows by table. Raises BackupFailed when anything is not as it was written."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        files, rows = dict(manifest["files"]), dict(manifest["rows"])
    except (OSError, ValueError, TypeError, KeyError):
        raise BackupFailed(f"{folder} has no whole {MANIFEST}: the backup is unfinished, or no backup.") from None
    for name, digest in files.items():
        if not (folder / name).is_file():
            raise BackupFailed(f"{folder / name} is missing.")
        if _digest(folder / name) != digest:
            raise BackupFailed(f"{folder / name} is not what was written.")
    if (file := folder / "reportq.db").exists():
        with closing(_opened(file)) as copy:
            faults = [fault for (fault,) in copy.execute("PRAGMA integrity_check") if fault != "ok"]
            found = _counted(copy)
    else:
        faults, found = [], sql_dump.counted(folder / "reportq.sql")
    if faults or found != rows:
        raise BackupFailed(f"The rows of {folder} are not whole: {faults or found}")
    return found


def restore(settings: Settings, folder: Path) -> int:
    """Put a verified backup into an empty database, bring it to this release's schema; returns how many rows wait again."""
    verify(folder)
    sqlite = settings.database_url.startswith("sqlite")
    if not (folder / ("reportq.db" if sqlite else "reportq.sql")).exists():
        raise BackupFailed(f"{folder} is of another kind of database than {settings.database_url.partition(':')[0]}.")
    db = _database(settings)
    if "pdf_job_results" in db.peewee.get_tables() and db.scalar("SELECT COUNT(*) FROM pdf_job_results"):
        raise BackupFailed("The database holds jobs already; restore into an empty one.")
    with _told("restore"):
        if sqlite:
            db.close()
            with (
                closing(_opened(folder / "reportq.db")) as copy,
                closing(sqlite3.connect(_sqlite_path(settings))) as target,
            ):
                copy.backup(target)
        else:
            sql_dump.read(db, folder / "reportq.sql")
        pdfs = _pdf_folder(settings)
        if pdfs is not None and (folder / "artifacts").is_dir():
            shutil.copytree(folder / "artifacts", pdfs, dirs_exist_ok=True)
    migrate(db)
    waiting = sum(box.unpublish_all(db) for box in (outbox.JOBS, outbox.DELIVERIES, outbox.DEAD_LETTERS))
    db.execute("DELETE FROM workers")
    db.close()
    return waiting


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """What the database or a disk says in one sentence."""
    try:
        yield
    except (pymysql.MySQLError, sqlite3.Error, OSError) as error:
        raise BackupFailed(f"The {what} ended: {error}") from error


def _database(settings: Settings) -> Database:
    return Database(settings.database_url, io_timeout=600)  # seconds for one statement: an index of millions of rows


def _opened(file: Path) -> sqlite3.Connection:
    """A backup's file, for reading: nothing is written beside it, so that it may lie on a medium that only reads."""
    return sqlite3.connect(f"{file.absolute().as_uri()}?immutable=1", uri=True)


def _copy(source: Path, target: Path) -> None:
    """The PDFs; one that is deleted while we look is of a job that has ended, and not missed."""
    for file in sorted(source.rglob("*")):
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(source).parts):
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copy2(file, copy)
            except FileNotFoundError:
                copy.unlink(missing_ok=True)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _counted(copy: Any) -> dict[str, int]:
    """Rows by table of an SQLite file."""
    tables = copy.execute("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'").fetchall()
    return {name: copy.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for (name,) in tables}


def _closed_file(path: Path) -> Path:
    """An empty file that nobody else can read: it holds people's results from its first byte on."""
    path.touch(mode=0o600, exist_ok=False)
    return path


def _sqlite_path(settings: Settings) -> str:
    return server_urls.sqlite_path(settings.database_url)


def _pdf_folder(settings: Settings) -> Path | None:
    if not settings.artifacts_url.startswith("file:"):
        return None
    return Path(server_urls.folder_path(settings.artifacts_url)).absolute()
