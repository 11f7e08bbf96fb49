"""The rows of a MySQL or MariaDB database as SQL, one statement a line, and back.

The text is the same that the servers' own tools write. Those tools are large, and each is made for one of the two
servers. Rows are read and written as they come, so that memory stays small whatever the table's size.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pymysql.cursors import SSCursor

from schema.sql.database import Database

_ROWS = 500  # in one statement, and
_BYTES = 1 << 20  # bytes, unless one row is larger
_CREATE = re.compile(rb"CREATE TABLE `(\w+)`")
_INSERT = re.compile(rb"INSERT INTO `(\w+)` /\* (\d+) rows \*/")
_TABLES = "SHOW FULL TABLES WHERE Table_type='BASE TABLE'"
_COLUMNS = (
    "SELECT column_name FROM information_schema.columns WHERE table_schema=DATABASE() AND table_name=%s "
    "AND extra NOT LIKE '%%VIRTUAL%%' AND extra NOT LIKE '%%STORED%%' ORDER BY ordinal_position"
)


def write(db: Database, sink: IO[bytes]) -> dict[str, int]:
    """All tables as they are at one moment; returns the rows of each. Raises pymysql.MySQLError, OSError."""
    db.ping()
    connection = db.peewee.connection()
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION net_write_timeout=600")  # seconds that our disk may take
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        cursor.execute(_TABLES)
        tables = [name for name, _ in cursor.fetchall()]
        for table in tables:
            cursor.execute(f"SHOW CREATE TABLE `{table}`")
            create = cursor.fetchone()[1].replace("\n", " ")
            sink.write(f"DROP TABLE IF EXISTS `{table}`;\n{create};\n".encode())
    counts = {table: _write_rows(connection, table, sink) for table in tables}
    connection.rollback()
    return counts


def _write_rows(connection: Any, table: str, sink: IO[bytes]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, (table,))
        columns = ",".join(f"`{name}`" for (name,) in cursor.fetchall())
    count = 0
    with connection.cursor(SSCursor) as cursor:
        cursor.execute(f"SELECT {columns} FROM `{table}`")
        for rows in _batches(cursor):
            count += len(rows)
            sink.write(f"INSERT INTO `{table}` /* {len(rows)} rows */ ({columns}) VALUES ".encode())
            sink.write(b",".join(rows) + b";\n")
    return count


def _batches(cursor: SSCursor) -> Iterator[list[bytes]]:
    rows, size = list[bytes](), 0
    one = f"({','.join(['%s'] * len(cursor.description))})"
    for row in cursor:
        # As PyMySQL sends parameters: text escaped, bytes marked as such; no literal holds a line's end.
        rows.append(cursor.mogrify(one, row).encode("utf-8", "surrogateescape"))
        size += len(rows[-1])
        if len(rows) == _ROWS or size > _BYTES:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def counted(file: Path) -> dict[str, int]:
    """Rows by table of a written file."""
    counts = dict[str, int]()
    with file.open("rb") as lines:
        for line in lines:
            if made := _CREATE.match(line):
                counts[made[1].decode()] = 0
            elif put := _INSERT.match(line):
                counts[put[1].decode()] += int(put[2])
    return counts


def read(db: Database, file: Path) -> None:
    """Run a written file on a database; tables of these names are replaced. Raises pymysql.MySQLError, OSError."""
    db.ping()
    connection = db.peewee.connection()
    with file.open("rb") as lines:
        for line in lines:
            connection.query(line.rstrip().removesuffix(b";"))
