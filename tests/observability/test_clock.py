"""A clock that is set back is reported. Otherwise earlier jobs would wait as long, and nobody would know why."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.process.runtime import Runtime, build
from ops.commands.findings import _database
from schema.metrics import gauges
from schema.metrics import table as metrics
from schema.rows import jobs
from schema.rows.jobs import NewJob
from schema.settings import Settings

HOUR = 3600


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'r.db'}", run_dir=str(tmp_path / "run"))
    runtime = build(settings)
    runtime.verify()
    return runtime


def behind(runtime: Runtime) -> float:
    """As Prometheus is told."""
    (value,) = [
        reading.value for reading in gauges.read(runtime.db, runtime.settings) if reading.metric is metrics.CLOCK_BEHIND
    ]
    return value


def later(runtime: Runtime, table: str, *columns: str) -> None:
    """What the clock gave before it was set back by an hour."""
    moved = ", ".join(f"{name}=strftime('%Y-%m-%d %H:%M:%f',{name},'+{HOUR} seconds')" for name in columns)
    runtime.db.execute(f"UPDATE {table} SET {moved}")


def states(runtime: Runtime) -> dict[str, str]:
    return {finding.name: finding.state for finding in _database(runtime)}


def test_a_clock_that_was_set_back_is_told_by_metric_and_doctor(runtime: Runtime) -> None:
    assert behind(runtime) == 0
    jobs.submit(runtime.db, NewJob("pdf_01", "K1", "p"))
    assert behind(runtime) == 0
    assert "clock set back" not in states(runtime)
    later(runtime, "pdf_job_results", "requested_at", "run_at")
    jobs.submit(runtime.db, NewJob("pdf_00", "K1", "p"))
    assert behind(runtime) == pytest.approx(HOUR, abs=60)
    assert states(runtime)["clock set back"] == "bad"
    runtime.db.execute("DELETE FROM pdf_job_results")
    assert behind(runtime) == 0
    runtime.close()


def test_a_housekeepers_turn_that_lies_far_ahead_is_a_sign_and_its_usual_one_is_none(runtime: Runtime) -> None:
    assert runtime.housekeeper.lead()
    assert behind(runtime) == 0
    later(runtime, "switches", "changed_at")
    assert behind(runtime) == pytest.approx(HOUR, abs=60)
    runtime.close()
