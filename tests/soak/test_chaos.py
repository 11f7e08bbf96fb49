"""`python -m ops.chaos` with every seed that ever found something, more jobs each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.runs import SEEDS, ends_well

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_doubled_or_left_untold(tmp_path: Path, seed: int) -> None:
    ends_well(tmp_path, 200, seed)
