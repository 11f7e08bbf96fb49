"""`python -m ops.chaos` with every seed that ever found something, more jobs each; and sabotage among all faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.chaos.schedule import LANES
from tests.chaos.runs import SABOTAGES, SEEDS, ends_well, is_noticed

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_doubled_or_left_untold(tmp_path: Path, seed: int) -> None:
    ends_well(tmp_path, 200, seed)


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_broken_guard_is_noticed_among_all_faults(tmp_path: Path, name: str) -> None:
    is_noticed(tmp_path, 100, name, LANES)
