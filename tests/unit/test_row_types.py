"""The documented columns are the tables' columns, and the type checker refuses any other."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import pytest

from schema.rows import audit, columns, deliveries, jobs, listing, messages, outbox, pace
from schema.sql.database import Database
from schema.sql.migrate import migrate

ROOT = Path(__file__).resolve().parents[2]
TABLES = {
    "pdf_job_results": columns.JobRow,
    "batches": columns.BatchRow,
    "attempts": columns.AttemptRow,
    "deliveries": columns.DeliveryRow,
    "delivery_attempts": columns.PostRow,
    "dead_letters": columns.LetterRow,
    "pauses": columns.PauseRow,
    "paces": pace.PaceRow,
    "workers": columns.WorkerRow,
    "api_keys": columns.KeyRow,
    "audit": audit.ActRow,
}
WRONG = """
from schema.rows import deliveries, jobs, leases, letters
from schema.sql.database import Database


def wrong(db: Database) -> None:
    job = jobs.find(db, "pdf_1")
    assert job is not None
    job["retry_cuont"]  # a misspelt column
    job["hint"]  # another table's column
    for expired in leases.JOBS.expired(db):
        expired["overdu"]  # a misspelt column that the query computes
    held = jobs.claim(db, "pdf_1", worker_id="w", lease=1, timeout=1)
    if isinstance(held, jobs.Claim):
        held.row["owner"]  # a column that the claim does not read
    letters.resolve(db, "dl_1", "closed", "me")  # no state of a dead letter
"""


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Read only."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('rows') / 'new.db'}")
    migrate(database)
    yield database
    database.close()


@pytest.mark.parametrize("table", TABLES)
def test_each_column_of_a_table_is_documented_and_no_other(db: Database, table: str) -> None:
    found = {column["name"] for column in db.fetch_all(f"PRAGMA table_info({table})")}
    assert set(get_type_hints(TABLES[table])) == found


@pytest.mark.parametrize("table", TABLES)
def test_what_may_be_null_is_typed_so(db: Database, table: str) -> None:
    hints = get_type_hints(TABLES[table])
    always = {column["name"] for column in db.fetch_all(f"PRAGMA table_info({table})") if column["notnull"]}
    assert not [name for name in always if type(None) in getattr(hints[name], "__args__", ())]


@pytest.mark.parametrize(
    ("asked", "row", "besides"),
    [
        (jobs.NEEDED, jobs.ClaimedJob, {"due", "age"}),
        (deliveries._NEEDED, deliveries.ClaimedDelivery, {"due", "age", "earlier_open", "request_id", "traceparent"}),
        (listing._COLUMNS, columns.ListedJob, set()),
        (f"{outbox.DEAD_LETTERS.columns}, id, hint_no", messages.DueLetter, set()),
    ],
)
def test_a_query_reads_the_columns_that_its_type_names(asked: str, row: type, besides: set[str]) -> None:
    assert set(asked.split(", ")) | besides == set(get_type_hints(row))


def test_the_type_checker_refuses_what_no_row_has(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--config-file", "setup.cfg", str(wrong)]  # as lint: one cache
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False).stdout
    # mypy may tell the errors of an earlier run from its cache, with the folder of that run.
    refused = {int(line) for line in re.findall(r"wrong\.py:(\d+): error: ", told)}
    assert refused == {n for n, line in enumerate(WRONG.splitlines(), 1) if "  # " in line}, told
