"""A database that notes what is asked of it: each statement, its plan, how many rows it read, and which call asked it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from schema.sql.database import Database

ROOT = Path(__file__).resolve().parents[2]
_ASKING = {"execute", "matched", "insert", "fetch_all", "fetch_one", "scalar", "count", "column", "tally", "defer"}
_READS = "SHOW SESSION STATUS WHERE Variable_name LIKE 'Handler_read%%' OR Variable_name='Handler_icp_attempts'"

# As a table: MySQL 9 shows a tree unless it is asked.
EXPLAIN = {"mysql": "EXPLAIN FORMAT=TRADITIONAL ", "sqlite": "EXPLAIN QUERY PLAN "}

Call = tuple[str, int]  # file and first line of a call of the database in our code


@dataclass(frozen=True, slots=True)
class Asked:
    """One statement that ran."""

    call: Call
    sql: str
    plan: list[dict[str, Any]]  # none of an INSERT
    reads: int  # rows and index entries that the server touched; on SQLite 0, which does not tell


class Recorder(Database):
    """Notes while `noting` is set."""

    def __init__(self, url: str) -> None:
        super().__init__(url, io_timeout=120)
        self.noting = False
        self.asked: list[Asked] = []

    def defer(self, sql: str, params: Sequence[Any] = ()) -> None:
        """At once, so that its reads are its own."""
        self.execute(sql, params)

    def _run(self, sql: str, params: Sequence[Any]) -> Any:
        if not self.noting:
            return super()._run(sql, params)
        plan = [] if sql.lstrip().startswith("INSERT") else self._explained(sql, params)
        idle = -self._reads() + self._reads()  # what asking costs itself
        before = self._reads()
        cursor = super()._run(sql, params)
        self.asked.append(Asked(_caller(), sql, plan, self._reads() - before - idle))
        return cursor

    def _explained(self, sql: str, params: Sequence[Any]) -> list[dict[str, Any]]:
        cursor = super()._run(EXPLAIN[self.dialect] + sql, params)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _reads(self) -> int:
        if self.dialect != "mysql":
            return 0
        rows = self.peewee.execute_sql(_READS).fetchall()
        return sum(int(value) for name, value in rows if name != "Handler_read_rnd_deleted")


def _caller() -> Call:
    """Where our code asked."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        inner = path.name in ("database.py", "recorder.py") and frame.f_code.co_name != "put"
        if path.is_relative_to(ROOT) and not inner:
            name = str(path.relative_to(ROOT))
            line = next((call[1] for call, end in _spans(name) if call[1] <= frame.f_lineno <= end), 0)
            return name, line
        frame = frame.f_back
    raise AssertionError("nobody asked")


@cache
def _spans(name: str) -> list[tuple[Call, int]]:
    """The calls of a database that stand in a file, with their last lines."""
    return [
        ((name, node.lineno), node.end_lineno or node.lineno)
        for node in ast.walk(ast.parse((ROOT / name).read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _ASKING
        # `self._db`, `db`, `self._database`: not a cursor's or a pool's method of the same name.
        and ast.unparse(node.func.value).rpartition(".")[2].strip("_") in ("db", "database")
    ]


def calls_of(*packages: str) -> Iterator[tuple[Call, str]]:
    """Every call of a database in these packages, with the name of the function that it stands in."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
            for call, _ in _spans(name):
                inside = [f for f in functions if f.lineno <= call[1] <= (f.end_lineno or 0)]
                yield call, min(inside, key=lambda f: (f.end_lineno or 0) - f.lineno).name if inside else ""
