"""What a MySQL or MariaDB server must be so that the promises hold: tables with transactions, packets of 16 MB."""

import importlib
import pkgutil

from schema.errors import ReportqError
from schema.sql import migrations
from schema.sql.database import Database

ENGINE = "InnoDB"
PACKET = 16 * 1024 * 1024  # bytes: a rendered PDF that is kept, escaped, and inline reports


class Unfit(ReportqError):
    """The server would break promises without a word."""

    code = "database_unfit"


def require_transactions(db: Database) -> None:
    """Raise Unfit when a table of ours cannot roll back: half an end would stay after a crash."""
    if wrong := without_transactions(db):
        alter = " ".join(f"ALTER TABLE {table} ENGINE={ENGINE};" for table in wrong)
        raise Unfit(f"Tables without transactions: {', '.join(wrong)}. Stop everything, back up, then: {alter}")


def without_transactions(db: Database) -> list[str]:
    """Tables of ours in another engine than InnoDB."""
    if db.dialect != "mysql":
        return []
    rows = db.fetch_all(
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema=DATABASE() "
        f"AND table_type='BASE TABLE' AND engine <> '{ENGINE}' ORDER BY table_name"
    )
    names = ours()
    return [row["name"] for row in rows if row["name"] in names]


def ours() -> set[str]:
    """The tables that the history of migrations makes; a step that makes some lists them as NAMES."""
    found = (f"{migrations.__name__}.{one.name}" for one in pkgutil.iter_modules(migrations.__path__))
    steps = map(importlib.import_module, found)
    return {name for step in steps for name in getattr(step, "NAMES", ())}


def small_packets(db: Database) -> int | None:
    """The server's max_allowed_packet in bytes when that is too small, else None."""
    if db.dialect != "mysql":
        return None
    size = int(db.scalar("SELECT @@GLOBAL.max_allowed_packet"))
    return size if size < PACKET else None


def default_engine(db: Database) -> str | None:
    """The engine of tables that others make in this server when that is not InnoDB, else None; ours name theirs."""
    if db.dialect != "mysql":
        return None
    engine = str(db.scalar("SELECT @@GLOBAL.default_storage_engine"))
    return engine if engine != ENGINE else None


def flushes_commits(db: Database) -> int:
    """The server's innodb_flush_log_at_trx_commit; a power cut loses commits unless it is 1."""
    return int(db.scalar("SELECT @@innodb_flush_log_at_trx_commit"))


def most_connections(db: Database) -> int:
    """How many connections the server takes."""
    return int(db.scalar("SELECT @@max_connections"))


def data_folder(db: Database) -> str:
    """Where the server keeps its data, on its own machine."""
    return str(db.scalar("SELECT @@datadir"))
