"""The list's filters on a table of some size: what is rare is found by an index, not by walking all jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ulid import ULID

from schema.http.queries import ListQuery
from schema.rows import listing
from schema.sql.database import Database

JOBS = 3000
RARE = 3


@pytest.fixture
def crowded(db: Database) -> Iterator[Database]:
    """Three jobs of a rare product, then thousands of a common one."""
    rows = [
        (
            f"pdf_{ULID.from_timestamp(1_700_000_000.0 + n)}",
            f"K{n % 100}",
            "rare" if n < RARE else "common",
            "completed",
        )
        for n in range(JOBS)
    ]
    one = f"(%s,%s,%s,%s,{db.now()},{db.now()})"
    for start in range(0, JOBS, 500):
        part = rows[start : start + 500]
        db.execute(
            "INSERT INTO pdf_job_results (job_id, code, product_id, status, requested_at, run_at) "
            f"VALUES {','.join([one] * len(part))}",
            [value for row in part for value in row],
        )
    if db.dialect == "mysql":
        db.fetch_all("ANALYZE TABLE pdf_job_results")  # as it does by itself once the table has grown
    yield db
    db.execute("DELETE FROM pdf_job_results")


@pytest.mark.parametrize(
    "more", [{}, {"status": "completed"}, {"code": "K1"}, {"since": "2023-01-01T00:00:00Z"}], ids=lambda more: [*more]
)
def test_a_rare_product_is_found_without_walking_the_table(crowded: Database, more: dict[str, str]) -> None:
    rows, _ = listing.page(crowded, ListQuery(product_id="rare", **more))
    assert len(rows) == (1 if "code" in more else RARE)
    assert _read(crowded, ListQuery(product_id="rare", **more)) < JOBS / 10


def _read(db: Database, query: ListQuery) -> int:
    """About how many rows the database looks at for one page."""
    if db.dialect == "mysql":
        before = _handlers(db)
        own = _handlers(db) - before
        before += own
        listing.page(db, query)
        return _handlers(db) - before - own
    asked: list[tuple[str, Any]] = []
    with pytest.MonkeyPatch.context() as patch:
        fetch = db.fetch_all
        patch.setattr(
            db, "fetch_all", lambda sql, params=(), **of: asked.append((sql, params)) or fetch(sql, params, **of)
        )
        listing.page(db, query)
    sql, params = asked[0]
    plan = " ".join(row["detail"] for row in db.fetch_all(f"EXPLAIN QUERY PLAN {sql}", params))
    return 0 if "USING INDEX idx_jobs_product" in plan or "USING INDEX idx_code_product" in plan else JOBS


def _handlers(db: Database) -> int:
    return sum(int(row["Value"]) for row in db.fetch_all("SHOW SESSION STATUS LIKE 'Handler_read%%'"))
