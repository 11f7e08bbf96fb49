"""Rows by the million, which MariaDB's sequence engine makes itself; the statements stand in `ops/bench/sql`."""

from pathlib import Path
from string import Template

from schema.sql.database import Database

SQL = Path(__file__).parent / "sql"


def lay_out(db: Database, what: str, numbers: range, *, part: int = 5000, **places: object) -> None:
    """Run one file's statements for these numbers, so many at a time, in the order of their keys, as rows come in life.

    `places` are the file's `$names`; `$first` and `$last` are a part's own.
    """
    text = Template((SQL / f"{what}.sql").read_text())
    for first in numbers[::part]:
        filled = text.substitute(places, first=first, last=min(first + part - 1, numbers[-1]))
        for statement in filter(str.strip, filled.split(";\n")):
            db.execute(statement)
