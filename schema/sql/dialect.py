"""Parts of statements: what differs between MySQL and SQLite, lists of values, the place where a page ended."""

from collections.abc import Collection
from typing import Any

Place = tuple[Any, str]  # a moment, as the column gave it, and a key: where a page ended


class Dialect:
    """What a statement says in one dialect. The database's clock is the only clock (DESIGN §2.5)."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect  # sqlite or mysql

    def by(self, index: str) -> str:
        """SQL behind a table's name: read this index, from where the conditions begin.

        Without it MariaDB takes a long range for half of the table, and reads the index from its first entry.
        """
        return f" FORCE INDEX ({index})" if self.dialect == "mysql" else ""

    def lock(self) -> str:
        """SQL behind a SELECT that locks what it reads until the transaction ends; SQLite locks the whole file."""
        return " FOR UPDATE" if self.dialect == "mysql" else ""

    def now(self) -> str:
        """SQL of the present moment, UTC."""
        return "UTC_TIMESTAMP(6)" if self.dialect == "mysql" else self.later(0)

    def later(self, seconds: float) -> str:
        """SQL of the moment `seconds` from now (negative: ago)."""
        if self.dialect == "mysql":
            return f"TIMESTAMPADD(MICROSECOND,{round(seconds * 1e6)},UTC_TIMESTAMP(6))"
        return f"strftime('%Y-%m-%d %H:%M:%f','now','{seconds:+.3f} seconds')"

    def age(self, column: str) -> str:
        """SQL of the seconds since the moment in `column`, as a float."""
        if self.dialect == "mysql":
            return f"(TIMESTAMPDIFF(MICROSECOND,{column},UTC_TIMESTAMP(6))/1000000.0)"
        return f"((julianday('now')-julianday({column}))*86400.0)"


def marks(values: Collection[object]) -> str:
    """SQL of one parameter for each value, to stand in the brackets of IN."""
    return ",".join(["%s"] * len(values))


def beyond(place: Place | None, moment: str, key: str) -> tuple[str, tuple[Any, ...]]:
    """SQL that adds "after `place`" to the condition of a page by (`moment`, `key`), and its parameters; all for None."""
    if place is None:
        return "", ()
    # SQLite uses the first comparison, MariaDB the last two. Each then begins at that very entry of the index.
    sql = f" AND {moment} >= %s AND ({moment} > %s OR ({moment} = %s AND {key} > %s))"
    return sql, (place[0], place[0], *place)
