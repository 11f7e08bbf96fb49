"""Positions of a long queue: read off the last look without counting rows, and honest all the same."""

from __future__ import annotations

import random
from typing import Any

from schema.settings import Settings
from schema.sql.database import Database
from schema.sql.times import as_column
from service.estimates import QueueView
from tests.api.conftest import Api

JOBS = 1200


def crowd(db: Database) -> list[dict[str, Any]]:
    """Jobs of three turns, submitted in bursts over an hour."""
    chance = random.Random(7)
    began = db.clock()
    rows = []
    for n in range(JOBS):
        ago = chance.choice((chance.uniform(0, 3600), chance.uniform(1000, 1010)))
        rows.append((f"pdf_{n:026d}", "K", "p", chance.choice((0, 4, 9)), as_column(began), as_column(began), ago))

    def work() -> None:
        for job_id, code, product, turn, _, _, ago in rows:
            db.execute(
                "INSERT INTO pdf_job_results (job_id, code, product_id, turn, requested_at, run_at) "
                f"VALUES (%s,%s,%s,%s,{db.later(-ago)},{db.now()})",
                (job_id, code, product, turn),
            )

    db.transaction(work)
    return db.fetch_all("SELECT * FROM pdf_job_results ORDER BY turn, requested_at, job_id")


def test_a_position_in_a_long_queue_is_right_within_a_slice(db: Database) -> None:
    rows = crowd(db)
    view = QueueView(db, Settings())
    picture = view.picture()
    assert picture.waiting == JOBS
    asked: list[str] = []
    fetch, scalar = db.fetch_all, db.scalar
    db.fetch_all = lambda sql, *rest, **of: asked.append(sql) or fetch(sql, *rest, **of)  # type: ignore[method-assign, func-returns-value]
    db.scalar = lambda sql, *rest: asked.append(sql) or scalar(sql, *rest)  # type: ignore[method-assign, func-returns-value]
    wrong = [abs(view._read_off(picture, row) - place) for place, row in enumerate(rows)]
    assert not asked, "a position was read off without a query"
    # A burst of ten seconds in an hour lies within one slice of 14 s: the worst that this queue can hold.
    assert sum(wrong) / JOBS < 20
    for row, off in zip(rows, wrong, strict=True):
        line = picture.lines[row["turn"]]
        widest = max(after - before for before, after in zip([0, *line.upto], line.upto, strict=False))
        assert off <= widest + 1, (row["job_id"], off, widest)
    position, estimate = view.of(rows[-1])
    assert position is not None
    assert estimate is not None


def test_a_position_in_a_short_queue_is_exact(api: Api) -> None:
    ids = [api.submit(priority=priority) for priority in ("low", "normal", "high", "normal")]
    places = [api.get(f"/api/jobs/{job_id}").json["position_in_queue"] for job_id in ids]
    assert places == [4, 2, 1, 3]
