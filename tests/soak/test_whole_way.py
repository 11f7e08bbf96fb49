"""Two hundred and seventeen real people's answers travel through the whole system on real servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_people import travel

pytestmark = pytest.mark.timeout(400)


def test_each_twentieth_person_gets_a_report(tmp_path: Path) -> None:
    assert travel(tmp_path, 20, 240) == 217
