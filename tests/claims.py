"""Invented people, and what a report must not say of them: read from the data and from the PDF's text alone.

The renderer's own formulas are not used: everything is computed again here, from the scales that a template declares.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from typing import Any

import yaml

from actors.pdf.renderer import TEMPLATES
from tests.people import invented_name

Report = dict[str, Any]
Z = {68: 1.0, 90: 1.645, 95: 1.96}
NEVER = (
    "hampir pasti", "paling kuat", "paling menonjol", "paling tertarik", "kekuatan utama", "terkuat", "terlemah",
    "jauh di atas", "jauh di bawah", "pintu masuk", "catur", "sepuluh menit", "None",
)  # fmt: skip
CATEGORY = r"(Tidak ditetapkan|tidak ditetapkan|[Bb]elum terukur|(?:[Rr]endah|[Rr]atarata|[Tt]inggi)(?: hingga \w+)?)"
INTERVAL = r"(\d+)–(\d+)"
ABILITIES = {
    "penalaran": "Penalaran verbal",
    "huruf": "Deret huruf",
    "matriks": "Matriks pola",
    "rotasi": "Rotasi ruang",
}


@cache
def _yaml(product: str, name: str) -> Any:
    return yaml.safe_load((TEMPLATES / product / f"{name}.yaml").read_text("utf-8"))


def text_of(pdf: bytes) -> str:
    """The PDF's text in the order it was drawn, without furniture, words joined again, one space between them."""
    done = subprocess.run(["pdftotext", "-raw", "-", "-"], input=pdf, capture_output=True, check=True, timeout=60)
    lines = done.stdout.decode("utf-8").replace("\f", "\n").splitlines()
    kept = [line for line in lines if " · " not in line and not re.search(r"Halaman \d+ dari \d+$", line)]
    return re.sub(r"\s+", " ", re.sub(r"(?<=\w)[-\u00ad]\s*(?=\w)", "", "\n".join(kept)))


class Measure:
    """A template's scale, measured again."""

    def __init__(self, product: str, name: str) -> None:
        scale = _yaml(product, "template")["scales"][name]
        self.sd, self.reliability, self.level = scale["sd"], scale["reliability"], scale.get("level", 95)
        self.low, self.high, self.mean = scale["low"], scale["high"], scale.get("mean")
        self.centre = (self.low + self.high) / 2 if self.mean is None else self.mean
        self.bands = [(band["upto"], band.get("label", "").replace("-", "").lower()) for band in scale["bands"]]
        self.least = 1.96 * self.sd * (2 - 2 * self.reliability) ** 0.5

    def inside(self, score: float) -> float:
        return min(max(round(score), self.low), self.high)

    def interval(self, score: float) -> tuple[float, float]:
        half = Z[self.level] * self.sd * (1 - self.reliability) ** 0.5
        return max(self.inside(score) - half, self.low), min(self.inside(score) + half, self.high)

    def touched(self, low: float, high: float) -> list[str]:
        names, below = [], float("-inf")
        for upto, label in self.bands:
            if high > below and low <= upto:
                names.append(label)
            below = upto
        return names

    def percentile(self, score: float) -> str:
        share = 100 * NormalDist(self.mean, self.sd).cdf(round(score))
        return "<1" if share < 0.5 else ">99" if share >= 99.5 else str(int(share + 0.5))

    def wrong_row(self, who: str, score: float, low: str, high: str, said: str) -> Iterator[str]:
        """What is false in a printed interval (`low` to `high`) and category."""
        for end, true in zip((low, high), self.interval(score), strict=True):
            if abs(int(end) - true) > 0.51:
                yield f"{who}: interval {low}–{high} of {score}"
        names = self.touched(int(low), int(high))
        true = (
            "tidak ditetapkan" if len(names) > 2 else names[0] if len(names) == 1 else f"{names[0]} hingga {names[-1]}"
        )
        if said.lower() != true:
            yield f"{who}: {score} ({low}–{high}) is called {said!r}, not {true!r}"

    def apart(self, told: Sequence[str], scores: dict[str, float], sign: int) -> Iterator[str]:
        """What is false in saying that the named differ from all others upwards (`sign` 1) or downwards."""
        for name in told:
            if sign * (scores[name] - self.centre) < 0:
                yield f"{name} {scores[name]} is told as {'strong' if sign > 0 else 'weak'} beyond the mean"
            for other in scores.keys() - set(told):
                if sign * (scores[name] - scores[other]) <= self.least:
                    yield f"{name} {scores[name]} is set apart from {other} {scores[other]}"


def _named(names: Sequence[str], text: str) -> list[str]:
    return sorted(
        (name for name in names if name.lower() in text.lower()), key=lambda name: text.lower().index(name.lower())
    )


def _between(text: str, start: str, *ends: str) -> str:
    """What stands after `start` up to the first of `ends`."""
    if start not in text:
        return ""
    rest = text.split(start, 1)[1]
    return rest[: min((rest.index(end) for end in ends if end in rest), default=len(rest))]


def _printed(score: float, scale: Measure) -> str:
    return (
        f"> {scale.high}"
        if round(score) > scale.high
        else f"< {scale.low}"
        if round(score) < scale.low
        else f"{score:.0f}"
    )


def _interests(report: Report, text: str) -> Iterator[str]:
    product = "minatBakatUmum"
    for field, word, strong in (("minat", "kuat pada bidang", 50), ("bakat", "tinggi daripada yang lain", 100)):
        scale = Measure(product, field)
        assert scale.centre == strong
        scores = {row["nama"]: row["skor"] for row in report[field] if row["skor"] is not None}
        lead = _between(text, "Ringkasan Minat Anda ", "Minat menunjukkan")
        sentence = _between(f"Minat Anda {lead}", "kuat pada bidang", "daripada") if field == "minat" else (
            _between(lead, "Di antara kemampuan Anda, ", "jelas lebih") if word in lead else "")  # fmt: skip
        told = _named(list(scores), sentence)
        yield from scale.apart(told, scores, 1)
        ranked = sorted(scores.values(), reverse=True)
        cut = any(
            high - low > scale.least and high >= scale.centre
            for high, low in list(pairwise(ranked))[: len(ranked) // 2]
        )
        flat = len(ranked) > 1 and ranked[0] - ranked[-1] <= scale.least
        if cut != bool(told):
            yield f"{field}: {ranked} and told {told}"
        if flat != ("tidak dapat dibedakan satu sama lain" in (lead.split(".")[0 if field == "minat" else 1])):
            yield f"{field}: {ranked} flat={flat}: {lead}"
    yield from _holland(report, text)
    yield from _abilities(report, text)


def _holland(report: Report, text: str) -> Iterator[str]:
    scale = Measure("minatBakatUmum", "minat")
    scores = {row["kode"]: row["skor"] for row in report["minat"] if row["skor"] is not None}
    names = {row["nama"].lower(): row["skor"] for row in report["minat"] if row["skor"] is not None}
    for code in re.findall(r"Kode Holland: ([RIASEK]+)", text):
        yield from scale.apart(list(code), scores, 1)
        if [scores[letter] for letter in code] != sorted((scores[letter] for letter in code), reverse=True):
            yield f"code {code} is not in the order of {scores}"
    for part in _between(text, "terpisah di atas bidang lain: ", ". Minat yang").split(";"):
        high, _, lows = part.partition(" lebih kuat daripada ")
        for low in _named(list(names), lows):
            if names[high.strip()] - names[low] <= scale.least:
                yield f"{high} over {low}"


def _abilities(report: Report, text: str) -> Iterator[str]:
    scale = Measure("minatBakatUmum", "bakat")
    scores = {row["nama"]: row["skor"] for row in report["bakat"] if row["skor"] is not None}
    apart = "daripada kemampuan Anda yang lain"
    strong = _between(text, f"jelas lebih tinggi {apart}", "Yang masih dapat dikembangkan", "Saran Dari", "Saran Hasil")
    weak = _between(text, f"jelas lebih rendah {apart}", "Saran Dari", "Saran Hasil")
    for sign, told in ((1, strong), (-1, weak)):
        found = [name for name in scores if f"{name} (skor" in told]
        yield from scale.apart(found, scores, sign)
        if bool(told) != bool(found):
            yield f"a section without names: {told[:80]}"
    table = _between(text, "Kemampuan Skor Lebih tinggi daripada", "Hanya selisih")
    head = ""
    for name, lower, score in re.findall(rf"({'|'.join(map(re.escape, scores))}) (\()?(?:[<>] )?(\d+)", table or ""):
        if f"{scores[name]:.0f}" != score:
            yield f"{name} is told as {score}, not {scores[name]}"
        if lower and scores[head] - scores[name] <= scale.least:
            yield f"the table sets {head} {scores[head]} over {name} {scores[name]}"
        head = head if lower else name
    details = _between(text, "Rentang 90% Persentil Kategori", "Ratarata 100, simpangan")
    for name, score in scores.items():
        row = re.search(rf"{re.escape(name)} (?:–|\d+ dari \d+) ([\d<> ]+?) {INTERVAL} ([<>]?\d+) {CATEGORY}", details)
        if not row:
            yield f"no row for {name} {score}: {details}"
            continue
        if row[1] != _printed(score, scale) or row[4] != scale.percentile(score):
            yield f"{name} {score}: told as {row[1]}, percentile {row[4]}"
        yield from scale.wrong_row(name, score, row[2], row[3], row[5])


def _judged(
    product: str, field: str, rows: Sequence[Any], found: Sequence[Any], texts: dict[str, Any], text: str
) -> Iterator[str]:
    """Intervals and categories of the running text, row by row, and the interpretations that stand there."""
    scale = Measure(product, field)
    scored = [row for row in rows if row["skor"] is not None]
    if len(found) != len(scored):
        yield f"{len(found)} judged of {len(scored)}: {found}"
        return
    for row, (score, low, high, said) in zip(scored, found, strict=True):
        who = f"{product} {row['kode']}"
        if score != _printed(row["skor"], scale):
            yield f"{who}: {row['skor']} is told as {score}"
        yield from scale.wrong_row(who, row["skor"], low, high, said)
        undecided = len(scale.touched(int(low), int(high))) > 2
        own = next(number for number, (upto, _) in enumerate(scale.bands) if scale.inside(row["skor"]) <= upto)
        for number, words in enumerate(texts[row["kode"]]["tafsiran"]):
            told = re.sub(r"(?<=\w)-\s*(?=\w)", "", " ".join(words.split())) in text
            if told != (number == own and not undecided):
                yield f"{who}: {row['skor']} and interpretation {number} told={told}"


def _personality(report: Report, text: str) -> Iterator[str]:
    found = re.findall(rf"Skor T Anda ([\d<> ]+) \(rentang {INTERVAL}\): {CATEGORY}\.", text)
    yield from _judged(
        "profilKepribadian", "t", report["sifat"], found, _yaml("profilKepribadian", "texts")["sifat"], text
    )


def _cognition(report: Report, text: str) -> Iterator[str]:
    product, whole = "profilKognitif", report["keseluruhan"]
    found = re.findall(rf"Skor Anda ([\d<> ]+), dengan rentang {INTERVAL} \(kategori {CATEGORY}\)", text)
    texts = _yaml(product, "texts")["kemampuan"]
    yield from _judged(product, "bagian", report["kemampuan"], found, texts, text)
    scale = Measure(product, "bagian")
    scores = {ABILITIES[row["kode"]].lower(): row["skor"] for row in report["kemampuan"] if row["skor"] is not None}
    for part in _between(text, "Yang benarbenar berbeda: ", ". Selisih").split(";"):
        high, _, lows = part.partition(" lebih tinggi daripada ")
        for low in _named(list(scores), lows):
            if scores[high.strip()] - scores[low] <= scale.least:
                yield f"{high} over {low}: {scores}"
    if whole["skor"] is not None:
        told = re.search(rf"berada antara (\d+) dan (\d+) \(kategori {CATEGORY}\)", text)
        low, high = (
            (whole["bawah"], whole["atas"])
            if whole["bawah"] is not None
            else Measure(product, "iq").interval(whole["skor"])
        )
        if not told or abs(int(told[1]) - low) > 0.51 or abs(int(told[2]) - high) > 0.51:
            yield f"overall {whole}: {told and told[0]}"
        else:
            names = Measure(product, "iq").touched(int(told[1]), int(told[2]))
            if len(names) > 2 and told[3] != "tidak ditetapkan":
                yield f"overall {whole}: {told[0]}"


CHECKS = {"minatBakatUmum": _interests, "profilKepribadian": _personality, "profilKognitif": _cognition}


def forbidden(product: str, report: Report, text: str) -> list[str]:
    """Every claim of the text that the data do not bear."""
    return [f"says {words!r}" for words in NEVER if words in text] + list(CHECKS[product](report, text))


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
    chance, report = random.Random(f"{product} {seed}"), sample(product)
    report["peserta"]["nama"] = invented_name(seed)
    if product == "minatBakatUmum":
        for field, mean, low, high in (("minat", 50, 0, 100), ("bakat", 100, 40, 160)):
            for row, score in zip(report[field], _scores(chance, len(report[field]), mean, low, high), strict=True):
                row["skor"] = score
            chance.shuffle(report[field])
    elif product == "profilKepribadian":
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


def all_low() -> Report:
    """Aptitudes of 60 to 75, hardly any interest: nothing of this is a strength."""
    report = sample("minatBakatUmum")
    for row, score in zip(report["bakat"], (60, 62, 64, 66, 68, 70, 72, 75), strict=True):
        row["skor"] = score
    for row, score in zip(report["minat"], (12, 8, 5, 4, 2, 0), strict=True):
        row["skor"] = score
    return report


def flat() -> Report:
    """Interests of 50 to 52 with a tie of four, aptitudes of 134 to 140: nothing stands out, and nothing is weak."""
    report = sample("minatBakatUmum")
    for row, score in zip(report["minat"], (52, 52, 52, 52, 50, 51), strict=True):
        row["skor"] = score
    for row, score in zip(report["bakat"], (134, 136, 138, 140, 135, 137, 139, 140), strict=True):
        row["skor"] = score
    return report
