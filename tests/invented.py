"""Invented people: whom nobody has measured, of any level and shape of profile."""

from __future__ import annotations

import random
from pathlib import Path

import yaml

from actors.pdf.renderer import TEMPLATES
from tests.claims import Report, kind_of
from tests.people import invented_name


def sample(product: str) -> Report:
    """The product's own sample, fresh."""
    found: Report = yaml.safe_load(Path(TEMPLATES / product / "sample.json").read_text("utf-8"))
    return found


def _scores(chance: random.Random, count: int, mean: float, low: float, high: float) -> list[float | None]:
    """Scores around somebody's own level: flat, ragged, in two groups, at an end; some missing, some with a decimal."""
    level, spread = chance.gauss(mean, (high - low) / 8), (high - low) * chance.choice((0, 0.01, 0.05, 0.1, 0.2))
    apart = (high - low) * chance.choice((0, 0, 0.15, 0.3))
    made: list[float | None] = []
    for place in range(count):
        score = min(max(chance.gauss(level + apart * (place % 3 == 0), spread), low), high)
        made.append(None if chance.random() < 0.06 else round(score, chance.choice((0, 0, 1))))
    return [score if score is None or score % 1 else int(score) for score in made]


def person(product: str, seed: int) -> Report:
    """A person whom nobody has measured; the same one for the same seed."""
    chance, report = random.Random(f"{kind_of(product)[0]} {seed}"), sample(product)
    report["peserta"]["nama"] = invented_name(seed)
    kind = kind_of(product)[0]
    if kind == "minatBakatUmum":
        for field, mean, low, high in (("minat", 50, 0, 100), ("bakat", 100, 40, 160)):
            for row, score in zip(report[field], _scores(chance, len(report[field]), mean, low, high), strict=True):
                row["skor"] = score
            chance.shuffle(report[field])
    elif kind == "profilKepribadian":
        for row, score in zip(report["sifat"], _scores(chance, 5, 50, 5, 95), strict=True):
            row["skor"] = score
    else:
        for row, score in zip(report["kemampuan"], _scores(chance, 4, 100, 30, 170), strict=True):
            row["skor"] = score
        whole = report["keseluruhan"]
        whole["skor"] = chance.choice((None, chance.randint(45, 155), chance.randint(85, 115)))
        half = chance.choice((None, 6, 12, 25))
        none = half is None or whole["skor"] is None
        whole["bawah"], whole["atas"] = (
            (None, None) if none else (max(whole["skor"] - half, 40), min(whole["skor"] + half, 160))
        )
    return report


def all_low(product: str = "minatBakatUmum") -> Report:
    """Aptitudes of 60 to 75, hardly any interest: nothing of this is a strength."""
    report = sample(product)
    for row, score in zip(report["bakat"], (60, 62, 64, 66, 68, 70, 72, 75), strict=True):
        row["skor"] = score
    for row, score in zip(report["minat"], (12, 8, 5, 4, 2, 0), strict=True):
        row["skor"] = score
    return report


def flat(product: str = "minatBakatUmum") -> Report:
    """Interests of 50 to 52 with a tie of four, aptitudes of 134 to 140: nothing stands out, and nothing is weak."""
    report = sample(product)
    for row, score in zip(report["minat"], (52, 52, 52, 52, 50, 51), strict=True):
        row["skor"] = score
    for row, score in zip(report["bakat"], (134, 136, 138, 140, 135, 137, 139, 140), strict=True):
        row["skor"] = score
    return report
