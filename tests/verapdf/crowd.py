"""Random people of each shipped report and language: real answers where there are some, names in every script."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from actors.pdf.renderer import PdfRenderer
from tests.claims import EDITION
from tests.people import COGNITIVE, FIRST, LAST, Person, big_five, cognitive, table
from tests.unit.pdf.conftest import request, sample

INTERESTS = "minatBakatUmum"
SCRIPTS = {
    "arabic": "محمد عَلاء الدين",
    "javanese": "ꦱꦸꦭꦠꦤ꧀ ꦲꦩꦼꦁꦏꦸꦧꦸꦮꦤ",
    "balinese": "ᬦ᭄ᬕᬸᬭᬄ ᬓᬢᬸᬢ᭄",
    "sundanese": "ᮞᮥᮔ᮪ᮓ ᮃᮏᮤ",
    "devanagari": "अर्जुन क्षत्रिय श्रीकृष्ण",
    "cjk": "王小明 さくら 김민준",
    "latin": "Ľubomír Đặng-Østergård O’Brien ffi",
    "no font": "Wu \U0001e900\U0001e901 \U0001f600",
}


def name(chance: random.Random) -> str:
    """One to three words; each may be of another script."""
    words = [*FIRST.split(","), *LAST.split(","), *" ".join(SCRIPTS.values()).split()]
    return " ".join(chance.choices(words, k=chance.randint(1, 3)))


def _interests(chance: random.Random) -> Person:
    report = sample(INTERESTS)
    for interest in report["minat"]:
        interest["skor"] = chance.choice((None, *[chance.randint(0, 100)] * 19))
    for talent in report["bakat"]:
        talent["skor"] = chance.choice((None, *[round(chance.gauss(100, 15)) for _ in range(19)]))
        talent["benar"] = chance.randint(0, talent["soal"])
    report["catatan"] = chance.choice(("", report["catatan"], report["catatan"] * 12))
    return INTERESTS, report


BOTH = ("", EDITION)


def people(each: int, seed: int, editions: Sequence[str] = BOTH) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """`each` people of every report, in each language: the name of a file, product, report."""
    chance = random.Random(seed)
    for number in range(each):
        for product, report in (
            _interests(chance),
            big_five(number, chance.choice(table("bfi"))),
            cognitive(number, chance.choice(table("ability"))),
        ):
            report["peserta"]["nama"] = name(chance)
            for edition in editions:
                yield f"{product}{edition}-{number:03}.pdf", product + edition, report


def crowd(each: int, seed: int, editions: Sequence[str] = BOTH) -> Iterator[tuple[str, bytes]]:
    """Their files: name, PDF."""
    renderer = PdfRenderer()
    for file, product, report in people(each, seed, editions):
        yield file, renderer.render(request(product, report))


def scripts() -> Iterator[tuple[str, bytes]]:
    """A report for a person of each script, and for one of all of them."""
    renderer = PdfRenderer()
    for script, own in {**SCRIPTS, "all": " ".join(SCRIPTS.values())}.items():
        report = sample(COGNITIVE)
        report["peserta"]["nama"] = own
        yield f"{script}.pdf", renderer.render(request(COGNITIVE, report))
