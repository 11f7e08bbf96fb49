"""What operators were told last, and when each host's canary last came through: rows of `switches`."""

from collections.abc import Set
from datetime import datetime
from typing import NamedTuple

from schema.environment.fitting import fit
from schema.rows.switches import put_note
from schema.sql.database import Database, Row
from schema.sql.times import as_time

_TOLD, _CANARY = "told", "canary "
_HOST = 56  # characters of a host that fit into a switch's name, behind `_CANARY`


class Told(NamedTuple):
    """The last message to operators: the names of what it left standing, and its age in seconds (None: there was none)."""

    names: frozenset[str]
    age: float | None


def last(db: Database) -> Told:
    """What operators know."""
    row = db.fetch_one(f"SELECT value, {db.age('changed_at')} AS age FROM switches WHERE name='{_TOLD}'")
    return Told(frozenset(), None) if row is None else Told(frozenset(row["value"].splitlines()), float(row["age"]))


def note_told(db: Database, names: Set[str]) -> None:
    """Operators have just been told; these are the troubles that they know of now."""
    put_note(db, _TOLD, "\n".join(sorted(names)))


def forget(db: Database, names: Set[str]) -> None:
    """Keep only these names, without a message: a trouble that comes again is news again."""
    db.execute(f"UPDATE switches SET value=%s WHERE name='{_TOLD}'", ("\n".join(sorted(names)),))


def note_canary(db: Database, host: str) -> None:
    """The canary of this host has just come through, or begins."""
    put_note(db, _CANARY + fit(host, _HOST))


def forget_canary(db: Database, host: str) -> None:
    """This host has no canary any more, so none is missed."""
    db.execute("DELETE FROM switches WHERE name=%s", (_CANARY + fit(host, _HOST),))


def canaries(notes: dict[str, Row]) -> dict[str, datetime]:
    """Host → when its canary last came through, from the rows of `switches` by name."""
    return {
        name.removeprefix(_CANARY): as_time(row["changed_at"])
        for name, row in notes.items()
        if name.startswith(_CANARY)
    }
