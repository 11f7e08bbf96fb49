"""What a report must not say of somebody: read from the data and from the PDF's text alone.

The renderer's own formulas are not used: everything is computed again here, from the scales that a template declares.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import yaml

from actors.pdf.renderer import TEMPLATES
from tests.claims_said import ENGLISH, INDONESIAN, Said

Report = dict[str, Any]
Z = {68: 1.0, 90: 1.645, 95: 1.96}
INTERVAL = r"(\d+)–(\d+)"
EDITION = "En"  # how the names of the English editions end


def kind_of(product: str) -> tuple[str, Said]:
    """The product whose data an edition takes, and the language of the edition."""
    return product.removesuffix(EDITION), ENGLISH if product.endswith(EDITION) else INDONESIAN


@cache
def _yaml(product: str, name: str) -> Any:
    return yaml.safe_load((TEMPLATES / product / f"{name}.yaml").read_text("utf-8"))


def text_of(pdf: bytes) -> str:
    """The PDF's text in the order it was drawn, without furniture, words joined again, one space between them."""
    done = subprocess.run(["pdftotext", "-raw", "-", "-"], input=pdf, capture_output=True, check=True, timeout=60)
    lines = done.stdout.decode("utf-8").replace("\f", "\n").splitlines()
    pages = f"{INDONESIAN.page}|{ENGLISH.page}"
    kept = [line for line in lines if " · " not in line and not re.search(pages, line)]
    return re.sub(r"\s+", " ", re.sub(r"(?<=\w)[-\u00ad]\s*(?=\w)", "", "\n".join(kept)))


class Measure:
    """A template's scale, measured again."""

    def __init__(self, product: str, name: str) -> None:
        kind, self.said = kind_of(product)
        scale, labels = _yaml(kind, "template")["scales"][name], _yaml(product, "texts")["kategori"]
        self.sd, self.reliability, self.level = scale["sd"], scale["reliability"], scale.get("level", 95)
        self.low, self.high, self.mean = scale["low"], scale["high"], scale.get("mean")
        self.centre = (self.low + self.high) / 2 if self.mean is None else self.mean
        names = [labels.get(band.get("label", "").split(".")[-1].strip(" }"), "") for band in scale["bands"]]
        self.bands = [
            (band["upto"], name.replace("-", "").lower()) for band, name in zip(scale["bands"], names, strict=True)
        ]
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
        joined = names[0] if len(names) == 1 else self.said.joined.format(names[0], names[-1])
        true = self.said.undecided if len(names) > 2 else joined
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


def _interests(product: str, report: Report, text: str) -> Iterator[str]:
    said = kind_of(product)[1]
    lead = _between(text, *said.summary)
    interests = _between(lead, *said.interests)
    abilities = _between(lead, *said.abilities) if said.higher in lead else ""
    for place, (field, sentence, strong) in enumerate((("minat", interests, 50), ("bakat", abilities, 100))):
        scale = Measure(product, field)
        assert scale.centre == strong
        scores = {row["nama"]: row["skor"] for row in report[field] if row["skor"] is not None}
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
        if flat != (said.flat in lead.split(".")[place]):
            yield f"{field}: {ranked} flat={flat}: {lead}"
    yield from _holland(product, report, text)
    yield from _abilities(product, report, text)
    yield from _even(said, report["bakat"], text)


def _holland(product: str, report: Report, text: str) -> Iterator[str]:
    scale, said = Measure(product, "minat"), kind_of(product)[1]
    letters = str.maketrans("RIASEK", said.code_letters)
    scores = {row["kode"].translate(letters): row["skor"] for row in report["minat"] if row["skor"] is not None}
    names = {row["nama"].lower(): row["skor"] for row in report["minat"] if row["skor"] is not None}
    for code in re.findall(rf"{said.code}([{said.code_letters}]+)", text):
        yield from scale.apart(list(code), scores, 1)
        if [scores[letter] for letter in code] != sorted((scores[letter] for letter in code), reverse=True):
            yield f"code {code} is not in the order of {scores}"
    yield from _compared(scale, said.stronger, names, text)


def _compared(scale: Measure, words: tuple[str, str, str], scores: dict[str, float], text: str) -> Iterator[str]:
    """What is false in a list of comparisons: "a is higher than b and c; d is higher than c"."""
    for part in _between(text, words[0], words[2]).split(";"):
        high, _, lows = part.partition(words[1])
        for low in _named(list(scores), lows):
            if scores[high.strip().lower()] - scores[low] <= scale.least:
                yield f"{high} over {low}: {scores}"


def _abilities(product: str, report: Report, text: str) -> Iterator[str]:
    scale, said = Measure(product, "bakat"), kind_of(product)[1]
    scores = {row["nama"]: row["skor"] for row in report["bakat"] if row["skor"] is not None}
    for sign, words in ((1, said.strong), (-1, said.weak)):
        told = _between(text, *words)
        found = [name for name in scores if said.named.format(name) in told]
        yield from scale.apart(found, scores, sign)
        if bool(told) != bool(found):
            yield f"a section without names: {told[:80]}"
    table = _between(text, *said.table)
    head = ""
    for name, lower, score in re.findall(rf"({'|'.join(map(re.escape, scores))}) (\()?(?:[<>] )?(\d+)", table or ""):
        if f"{scores[name]:.0f}" != score:
            yield f"{name} is told as {score}, not {scores[name]}"
        if lower and scores[head] - scores[name] <= scale.least:
            yield f"the table sets {head} {scores[head]} over {name} {scores[name]}"
        head = head if lower else name
    details = _between(text, *said.details)
    for name, score in scores.items():
        pattern = rf"{re.escape(name)} (?:–|\d+ {said.of} \d+) ([\d<> ]+?) {INTERVAL} ([<>]?\d+) {said.category}"
        row = re.search(pattern, details)
        if not row:
            yield f"no row for {name} {score}: {details}"
            continue
        if row[1] != _printed(score, scale) or row[4] != scale.percentile(score):
            yield f"{name} {score}: told as {row[1]}, percentile {row[4]}"
        yield from scale.wrong_row(name, score, row[2], row[3], row[5])


def _pattern(source: str, said: Said) -> str:
    return source.replace("{interval}", INTERVAL).replace("{category}", said.category)


def _judged(
    product: str, field: str, rows: Sequence[Any], pattern: str, texts: dict[str, Any], text: str
) -> Iterator[str]:
    """Intervals and categories of the running text, row by row, and the interpretations that stand there."""
    scale = Measure(product, field)
    scored, found = [row for row in rows if row["skor"] is not None], re.findall(_pattern(pattern, scale.said), text)
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


def _even(said: Said, rows: Sequence[Any], text: str) -> Iterator[str]:
    """What is false in calling a profile even: that can be said of whole profiles alone."""
    if said.even in text and any(row["skor"] is None for row in rows):
        yield f"a profile with gaps is called even: {[row['skor'] for row in rows]}"


def _personality(product: str, report: Report, text: str) -> Iterator[str]:
    texts, said = _yaml(product, "texts")["sifat"], kind_of(product)[1]
    answered, told = sum(trait["terisi"] for trait in report["sifat"]), re.search(said.answered, text)
    if not told or int(told[1]) != answered:
        yield f"{answered} statements were answered: {told and told[0]}"
    yield from _judged(product, "t", report["sifat"], said.trait, texts, text)


def _cognition(product: str, report: Report, text: str) -> Iterator[str]:
    whole, said = report["keseluruhan"], kind_of(product)[1]
    texts, names = _yaml(product, "texts")["kemampuan"], dict(said.cognition)
    yield from _judged(product, "bagian", report["kemampuan"], said.ability, texts, text)
    yield from _even(said, report["kemampuan"], text)
    scores = {names[row["kode"]].lower(): row["skor"] for row in report["kemampuan"] if row["skor"] is not None}
    yield from _compared(Measure(product, "bagian"), said.differ, scores, text)
    if whole["skor"] is not None:
        told = re.search(_pattern(said.overall, said), text)
        scale = Measure(product, "iq")
        low, high = scale.interval(whole["skor"])
        if whole["bawah"] is not None:  # the report's own ends, as far as the scale goes
            low, high = max(whole["bawah"], scale.low), min(whole["atas"], scale.high)
        if not told or abs(int(told[1]) - low) > 0.51 or abs(int(told[2]) - high) > 0.51:
            yield f"overall {whole}: {told and told[0]}"
        else:
            names_of_bands = scale.touched(int(told[1]), int(told[2]))
            if len(names_of_bands) > 2 and told[3] != said.undecided:
                yield f"overall {whole}: {told[0]}"


CHECKS = {"minatBakatUmum": _interests, "profilKepribadian": _personality, "profilKognitif": _cognition}


def forbidden(product: str, report: Report, text: str) -> list[str]:
    """Every claim of the text that the data do not bear."""
    kind, said = kind_of(product)
    return [f"says {words!r}" for words in said.never if words in text] + list(CHECKS[kind](product, report, text))
