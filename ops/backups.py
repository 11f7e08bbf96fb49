"""Backup and restore of what cannot be made again: the rows, and in the embedded default the PDFs beside them.

MongoDB and Google Drive are others' and backed up with their own means. A backup is taken while everything runs; it is
one moment's picture (a single transaction, or SQLite's own online backup). A restore is done with everything stopped;
afterwards every waiting row is published again, since the broker knows nothing of that moment.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Literal

from schema.environment import server_urls
from schema.environment.tls import Tls
from schema.errors import ReportqError
from schema.rows import outbox
from schema.settings import Settings
from schema.sql.database import Database
from schema.sql.migrate import migrate


class BackupFailed(ReportqError):
    """What the database's own tool said."""

    code = "backup_failed"


def make(settings: Settings, folder: Path) -> list[Path]:
    """Write the backup into an empty or new folder, closed to others; returns its files."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise BackupFailed(f"{folder} is not empty.")
    if settings.database_url.startswith("sqlite"):
        target = _closed_file(folder / "reportq.db")
        with closing(sqlite3.connect(_sqlite_path(settings))) as live, closing(sqlite3.connect(target)) as copy:
            live.backup(copy)
    else:
        target = _closed_file(folder / "reportq.sql")
        options = ["--single-transaction", "--quick", "--hex-blob", "--skip-lock-tables", "--routines=0"]
        with target.open("wb") as sink:
            _run("mariadb-dump", settings, options, stdout=sink)
    pdfs = _pdf_folder(settings)
    if pdfs is not None and pdfs.is_dir():
        shutil.copytree(pdfs, folder / "artifacts", ignore=shutil.ignore_patterns(".*"))
    return sorted(folder.iterdir())


def restore(settings: Settings, folder: Path) -> int:
    """Put a backup into an empty database, bring it to this release's schema; returns how many rows wait again."""
    db = Database(settings.database_url)
    if "pdf_job_results" in db.peewee.get_tables() and db.scalar("SELECT COUNT(*) FROM pdf_job_results"):
        raise BackupFailed("The database holds jobs already; restore into an empty one.")
    db.close()
    if settings.database_url.startswith("sqlite"):
        with (
            closing(sqlite3.connect(folder / "reportq.db")) as copy,
            closing(sqlite3.connect(_sqlite_path(settings))) as target,
        ):
            copy.backup(target)
    else:
        with (folder / "reportq.sql").open("rb") as source:
            _run("mariadb", settings, [], stdin=source)
    pdfs = _pdf_folder(settings)
    if pdfs is not None and (folder / "artifacts").is_dir():
        shutil.copytree(folder / "artifacts", pdfs, dirs_exist_ok=True)
    migrate(db)
    waiting = sum(box.unpublish_all(db) for box in (outbox.JOBS, outbox.DELIVERIES, outbox.DEAD_LETTERS))
    db.execute("DELETE FROM workers")
    db.close()
    return waiting


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


def _encryption(tls: Tls | Literal[False] | None) -> list[str]:
    """The tool's options for what the URL says; it knows no VERIFY_CA, and then asks for the name, too."""
    if not tls:
        return [] if tls is None else ["--skip-ssl"]
    files = {"ca": tls.ca, "cert": tls.cert, "key": tls.key}
    named = [f"--ssl-{name}={path}" for name, path in files.items() if path]
    return ["--ssl", *named, *(["--ssl-verify-server-cert"] if tls.trusted else [])]


def _run(tool: str, settings: Settings, options: list[str], **streams: object) -> None:
    """Run MariaDB's own tool; the password goes by the environment, where `ps` does not show it."""
    server = server_urls.mysql(settings.database_url)
    command = [
        tool, "--no-defaults", "--protocol=tcp", f"--host={server.host or '127.0.0.1'}", f"--port={server.port or 3306}",
        f"--user={server.user or 'root'}", *_encryption(server.tls), *options, server.name or "reportq",
    ]  # fmt: skip
    environment = {**os.environ, "MYSQL_PWD": server.password}
    try:
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, **streams)  # type: ignore[call-overload]
    except FileNotFoundError:
        raise BackupFailed(f"{tool} is not installed (Debian: mariadb-client).") from None
    if done.returncode:
        raise BackupFailed(f"{tool}: {done.stderr.decode('utf-8', 'replace').strip()[:500]}")
