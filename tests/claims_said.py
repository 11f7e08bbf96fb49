"""What the reports' sentences look like in each language: the words between which `tests/claims.py` reads claims."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """Words of one language, hyphens left out; names in braces are filled in."""

    never: tuple[str, ...]
    page: str  # a pattern
    category: str  # a pattern
    undecided: str
    joined: str
    flat: str
    even: str  # only of a profile without gaps
    answered: str  # a pattern: how many statements were answered
    summary: tuple[str, str]
    interests: tuple[str, str]
    abilities: tuple[str, str]
    higher: str
    code: str
    code_letters: str  # The printed letters, in the order of the data's RIASEK.
    stronger: tuple[str, str, str]  # The begin of the comparisons, the text between two, and their end.
    strong: tuple[str, ...]  # The begin of the strong ones, and the possible ends.
    weak: tuple[str, ...]
    named: str
    table: tuple[str, str]
    details: tuple[str, str]
    of: str
    trait: str  # patterns with {interval} and {category}
    ability: str
    differ: tuple[str, str, str]
    overall: str
    cognition: tuple[tuple[str, str], ...]  # codes and names


INDONESIAN = Said(
    never=(
        "hampir pasti", "paling kuat", "paling menonjol", "paling tertarik", "kekuatan utama", "terkuat", "terlemah",
        "jauh di atas", "jauh di bawah", "pintu masuk", "catur", "sepuluh menit", "None",
    ),
    page=r"Halaman \d+ dari \d+$",
    category=r"(Tidak ditetapkan|tidak ditetapkan|[Bb]elum terukur|(?:[Rr]endah|[Rr]atarata|[Tt]inggi)(?: hingga \w+)?)",
    undecided="tidak ditetapkan",
    joined="{} hingga {}",
    flat="tidak dapat dibedakan satu sama lain",
    even="profilnya merata",
    answered=r"jawaban Anda atas (\d+) (?:dari \d+ )?pernyataan",
    summary=("Ringkasan Minat Anda ", "Minat menunjukkan"),
    interests=("kuat pada bidang", "daripada"),
    abilities=("Di antara kemampuan Anda, ", "jelas lebih"),
    higher="tinggi daripada yang lain",
    code="Kode Holland: ",
    code_letters="RIASEK",
    stronger=("terpisah di atas bidang lain: ", " lebih kuat daripada ", ". Minat yang"),
    strong=(
        "jelas lebih tinggi daripada kemampuan Anda yang lain",
        "Yang masih dapat dikembangkan", "Saran Dari", "Saran Hasil",
    ),
    weak=("jelas lebih rendah daripada kemampuan Anda yang lain", "Saran Dari", "Saran Hasil"),
    named="{} (skor",
    table=("Kemampuan Skor Lebih tinggi daripada", "Hanya selisih"),
    details=("Rentang 90% Persentil Kategori", "Ratarata 100, simpangan"),
    of="dari",
    trait=r"Skor T Anda ([\d<> ]+) \(rentang {interval}\): {category}\.",
    ability=r"Skor Anda ([\d<> ]+), dengan rentang {interval} \(kategori {category}\)",
    differ=("Yang benarbenar berbeda: ", " lebih tinggi daripada ", ". Selisih"),
    overall=r"berada antara (\d+) dan (\d+) \(kategori {category}\)",
    cognition=(
        ("penalaran", "Penalaran verbal"), ("huruf", "Deret huruf"),
        ("matriks", "Matriks pola"), ("rotasi", "Rotasi ruang"),
    ),
)  # fmt: skip
ENGLISH = Said(
    never=(
        "almost certain", "strongest", "weakest", "most interested", "main strength", "stands out most", "far above",
        "far below", "gateway", "chess", "ten minutes", "None",
    ),
    page=r"Page \d+ of \d+$",
    category=r"([Nn]ot determined|[Nn]ot measured|(?:[Ll]ow|[Aa]verage|[Hh]igh)(?: to \w+)?)",
    undecided="not determined",
    joined="{} to {}",
    flat="cannot be told apart",
    even="profile is even",
    answered=r"your answers to (\d+) (?:of \d+ )?statements",
    summary=("Summary Your interests ", "Interests show"),
    interests=("stronger in the", "than in"),
    abilities=("Among your abilities, ", " clearly higher"),
    higher="higher than the others",
    code="Holland code: ",
    code_letters="RIASEC",
    stronger=("clearly above the rest: ", " is stronger than ", ". Interests that"),
    strong=(
        "clearly higher than your other abilities", "Areas for development", "Suggestions On these", "Suggestions These",
    ),
    weak=("clearly lower than your other abilities", "Suggestions On these", "Suggestions These"),
    named="{} (score",
    table=("Ability Score Higher than", "Only differences"),
    details=("90% range Percentile Category", "Mean 100, standard"),
    of="of",
    trait=r"Your T score is ([\d<> ]+) \(range {interval}\): {category}\.",
    ability=r"Your score is ([\d<> ]+), with a range of {interval} \(category: {category}\)",
    differ=("Reliable differences: ", " is higher than ", ". A difference"),
    overall=r"lies between (\d+) and (\d+) \(category: {category}\)",
    cognition=(
        ("penalaran", "Verbal reasoning"), ("huruf", "Letter series"),
        ("matriks", "Matrix reasoning"), ("rotasi", "Spatial rotation"),
    ),
)  # fmt: skip
