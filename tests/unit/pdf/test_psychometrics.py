"""The formulas against published numbers.

WISC-IV: the standard errors of the US technical manual that follow from its reliabilities (.97, .94, .93, .92, .89).
Anastasi & Urbina, Psychological Testing (7th ed.), chapter 4: SEM 5 for SD 15 and r .89. The difference of verbal and
performance IQ (r .97 and .93) has the error 4.74 and must reach 9.29. Percentiles: the normal curve of any norm table.
"""

from __future__ import annotations

import random

import pytest

from actors.pdf.product.psychometrics import (
    Z,
    critical_difference,
    interval,
    percentile,
    retest_interval,
    rounded,
    standard_error,
)


@pytest.mark.parametrize(
    ("reliability", "error"), [(0.97, 2.60), (0.94, 3.67), (0.93, 3.97), (0.92, 4.24), (0.89, 4.97)]
)
def test_the_standard_error_is_the_manuals(reliability: float, error: float) -> None:
    assert rounded(standard_error(15, reliability), 2) == error


@pytest.mark.parametrize(
    ("sd", "first", "second", "least"),
    [(15, 0.97, 0.93, 9.3), (15, 0.85, 0.85, 16.1), (15, 0.90, 0.90, 13.1), (10, 0.80, 0.80, 12.4), (10, 0.7, 0.7, 15.2)],
)  # fmt: skip
def test_two_scales_differ_from_the_critical_difference_on(
    sd: float, first: float, second: float, least: float
) -> None:
    assert rounded(critical_difference(sd, first, second), 1) == least
    assert rounded(critical_difference(15, 0.97, 0.93, 68), 2) == 4.74


def test_the_interval_widens_with_its_level() -> None:
    """A WISC-IV full scale IQ of 99 and r .97: 94 to 104, as its report prints it."""
    assert tuple(map(rounded, interval(99, 15, 0.97, 95))) == (94, 104)
    assert tuple(map(rounded, interval(100, 15, 0.89, 90))) == (92, 108)
    assert interval(100, 15, 0.89, 68) == pytest.approx((95.03, 104.97), abs=0.01)
    assert {level: rounded(z, 3) for level, z in Z.items()} == {68: 1.0, 90: 1.645, 95: 1.96}


def test_a_retest_leaves_the_interval_of_the_true_score_one_time_in_six() -> None:
    chance, inside, wide = random.Random(15), 0, 0
    low, high = interval(0, 15, 0.85)
    far_low, far_high = retest_interval(0, 15, 0.85)
    error = standard_error(15, 0.85)
    for _ in range(20_000):
        difference = chance.gauss(0, error) - chance.gauss(0, error)
        inside += low < difference < high
        wide += far_low < difference < far_high
    assert inside / 20_000 == pytest.approx(0.834, abs=0.01)
    assert wide / 20_000 == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(
    ("score", "said"),
    [(100, "50"), (115, "84"), (85, "16"), (130, "98"), (70, "2"), (110, "75"), (90, "25"), (120, "91"),
     (135, "99"), (138, "99"), (140, ">99"), (65, "1"), (60, "<1"), (40, "<1"), (1e6, ">99")],
)  # fmt: skip
def test_percentiles_are_whole_and_have_ends(score: float, said: str) -> None:
    assert percentile(score, 100, 15) == said
    assert percentile(50 + (score - 100) / 1.5, 50, 10) == said


def test_a_half_is_rounded_away_from_zero() -> None:
    assert [rounded(value) for value in (0.5, 1.5, 2.5, -0.5, 112.5, 112.49)] == [1, 2, 3, -1, 113, 112]
    assert rounded(1.005, 2) == 1.01
    assert rounded(56.45, 1) == 56.5
