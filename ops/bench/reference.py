"""The content of the reference report: the same words, rows and values for every contender."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

TEMPLATES = Path(__file__).parent / "templates"
DATE = datetime(2026, 11, 23, tzinfo=UTC)
PRODUCTS = Path(__file__).parents[2] / "actors" / "pdf" / "templates"
NAMES = ("Realistik", "Investigatif", "Artistik", "Sosial", "Wirausaha", "Konvensional")
# Title, filling and words of each part; 1,300 words in all.
PARTS = (
    ("Ringkasan", "", 330), ("Minat", "radar", 170), ("Bakat", "batang", 200), ("Rincian", "tabel", 0),
    ("Tafsiran", "", 330), ("Saran", "", 270),
)  # fmt: skip


def _sentences() -> list[str]:
    """Running Indonesian text: the interpretations of the shipped products, without values and emphasis."""
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)
        elif isinstance(node, str) and len(node) > 90 and not set("{*\\") & set(node) and "- " not in node:
            found.append(" ".join(node.split()))

    for product in ("minatBakatUmum", "profilKepribadian", "profilKognitif"):
        walk(yaml.safe_load((PRODUCTS / product / "texts.yaml").read_text("utf-8")))
    return found


_TEXT = " ".join(_sentences()).split()


def report(number: int) -> dict[str, Any]:
    """One person's reference report; name and values differ with `number`, the running text does not."""
    chance = random.Random(number)
    parts = []
    start = 0
    for title, filling, share in PARTS:
        words = _TEXT[start : start + share]
        start += share
        paragraphs = [" ".join(words[first : first + 68]) for first in range(0, len(words), 68)]
        parts.append({"judul": title, "isi": filling, "alinea": paragraphs})
    return {
        "nama": f"{chance.choice(('Ayu', 'Budi', 'Citra', 'Dewi'))} Wulandari {number}",
        "nomor": f"A-{number:05d}",
        "tanggal": "2026-11-23",
        "bagian": parts,
        "minat": [{"nama": name, "skor": chance.randint(20, 95)} for name in NAMES],
        "butir": [
            {
                "nomor": place,
                "nama": f"{chance.choice(NAMES)} {place}, soal pilihan berganda",
                "benar": chance.randint(0, 20),
                "soal": 20,
            }
            for place in range(1, 25)
        ],
    }
