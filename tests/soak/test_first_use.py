"""Sixty fresh processes of each kind, whose threads draw and decode for the first time at once: none of them dies."""

from __future__ import annotations

import pytest

from tests.unit.test_first_use import no_fresh_process_dies


@pytest.mark.timeout(1800)
def test_no_fresh_process_dies_of_its_first_use() -> None:
    no_fresh_process_dies(60)
