"""What a test score is worth: classical test theory in a few formulas, and how its numbers are rounded.

`sd` is the standard deviation of the scores in the norm group. `reliability` (r) is at least 0 and below 1. Scores and
widths have the unit of the scale. With a reliability of 1 there would be no error; no test has it.
"""

import math

Z = {68: 1.0, 90: 1.645, 95: 1.96}  # per cent of a normal distribution within ± z standard deviations


def rounded(value: float, decimals: int = 0) -> float:
    """The printed number: a half goes away from zero, as in norm tables, and not to the even neighbour."""
    unit = 10**decimals
    return math.copysign(math.floor(abs(value) * unit + 0.5 + 1e-9) / unit, value)


def standard_error(sd: float, reliability: float) -> float:
    """SEM: the standard deviation of somebody's scores around the true score."""
    return sd * math.sqrt(1 - reliability)


def interval(score: float, sd: float, reliability: float, level: int = 95) -> tuple[float, float]:
    """Where the true score lies with `level` (68, 90, 95) per cent confidence."""
    half = Z[level] * standard_error(sd, reliability)
    return score - half, score + half


def retest_interval(score: float, sd: float, reliability: float, level: int = 95) -> tuple[float, float]:
    """Where the score of a second, equivalent test lies: wider than `interval`, because that score errs as well."""
    half = Z[level] * standard_error(sd, reliability) * math.sqrt(2)
    return score - half, score + half


def critical_difference(sd: float, first: float, second: float, level: int = 95) -> float:
    """The least difference of one person's scores on two scales of reliabilities `first` and `second` that counts."""
    return Z[level] * sd * math.sqrt(2 - first - second)


def percentile(score: float, mean: float, sd: float) -> str:
    """How many of a hundred people of a normal norm group score below: 1 to 99, or "<1" and ">99"."""
    per_cent = 50 * math.erfc((mean - score) / (sd * math.sqrt(2)))
    whole = int(rounded(per_cent))
    return "<1" if whole < 1 else ">99" if whole > 99 else str(whole)
