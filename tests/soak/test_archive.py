"""Six hundred random people of each report, in both languages: all their reports are PDF/A-2a and PDF/UA-1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verapdf.crowd import BOTH, crowd
from tests.verapdf.judge import failures, judged


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("edition", BOTH, ids=["Indonesian", "English"])
def test_six_hundred_people_of_each_product(tmp_path: Path, edition: str) -> None:
    verdicts = judged(tmp_path, crowd(600, seed=2026, editions=(edition,)))
    assert len(verdicts) == 600 * 3 * 2
    assert failures(verdicts) == []
