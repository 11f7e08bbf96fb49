"""`python -m ops.chaos`, once: nothing lost, doubled or left untold; and a judge that notices sabotage.

More seeds, and sabotage among all faults: `ops/test soak`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.chaos.schedule import KINDS, RECEIVERS, order, plan
from tests.chaos.runs import FIRST, SABOTAGES, ends_well, is_noticed

pytestmark = pytest.mark.timeout(900)


def test_nothing_is_lost_doubled_or_left_untold(tmp_path: Path) -> None:
    ends_well(tmp_path, 100, FIRST)


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_broken_guard_is_noticed(tmp_path: Path, name: str) -> None:
    is_noticed(tmp_path, 40, name, SABOTAGES[name][1])


def test_a_seed_makes_the_same_schedule_and_every_kind_is_in_it() -> None:
    for seed in range(20):
        assert plan(200, seed) == plan(200, seed)
        assert {fault.kind for fault in plan(1, seed)} == set(KINDS)
        assert {order(seed, number).receiver for number in range(14)} >= set(RECEIVERS)
    assert plan(200, 1) != plan(200, 2)


def test_a_seed_keeps_what_it_planned_when_kinds_are_added() -> None:
    """A seed that found something finds it again: kinds that came later have a chance and lanes of their own."""
    first = [fault for fault in plan(200, 1) if fault.lane not in ("desk", "disks", "answers")]
    assert [(fault.at, fault.kind, fault.seconds, fault.luck) for fault in first[:3]] == [
        (1.39, "cut:drive", 0.11, 483), (1.66, "kill:webhook", 0.0, 460), (1.97, "hints:purged", 0.0, 927),
    ]  # fmt: skip
    assert len(first) == 59
