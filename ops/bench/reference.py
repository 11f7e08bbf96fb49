"""The content of the reference report: the same words, rows and values for every contender."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent / "templates"
DATE = datetime(2026, 11, 23, tzinfo=UTC)
NAMES = ("Realistik", "Investigatif", "Artistik", "Sosial", "Wirausaha", "Konvensional")
# Title, filling and words of each part; 1,300 words in all.
PARTS = (
    ("Ringkasan", "", 330), ("Minat", "radar", 170), ("Bakat", "batang", 200), ("Rincian", "tabel", 0),
    ("Tafsiran", "", 330), ("Saran", "", 270),
)  # fmt: skip
# Running Indonesian text, once taken from the interpretations of the shipped products.
_TEXT = Path(__file__).with_suffix(".txt").read_text("utf-8").split()


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
