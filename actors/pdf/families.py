"""Which faces set a style, and which are asked for characters it lacks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from actors.pdf.faces import FONTS, Face, Run

WORDS = 3_000  # measured words a family remembers: those of a few products' texts, 2 MB
# Han, Kana and Hangul are optional: Debian's fonts-droid-fallback (4 MB), used when it is there.
SYSTEM_CJK = (
    Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"),
    Path("/usr/share/fonts-droid-fallback/truetype/DroidSansFallback.ttf"),
)


class Family:
    """A main face and the faces tried, in order, for characters it lacks."""

    def __init__(self, main: Face, fallbacks: tuple[Face, ...]) -> None:
        self.main = main
        self.fallbacks = fallbacks
        self.runs = lru_cache(maxsize=WORDS)(self._runs)
        self.divided = lru_cache(maxsize=WORDS)(self._divided)

    def long_runs(self, word: str, direction: str | None = None) -> tuple[Run, ...]:
        """Like `runs`, without remembering."""
        return self._runs(word, direction)

    def _runs(self, word: str, direction: str | None = None) -> tuple[Run, ...]:
        """`word` (no spaces, already cleaned) in as few runs as coverage allows, from left to right.

        Without a `direction` every run has that of its script; with one, all of them have it.
        """
        main = self.main.coverage
        if all(ord(char) in main for char in word):
            return (self.main.shape(word, direction),)
        pieces: list[tuple[Face, str]] = []
        for char in word:
            face, shown = self._face_for(char, pieces[-1][0] if pieces else self.main)
            if pieces and pieces[-1][0] is face:
                pieces[-1] = (face, pieces[-1][1] + shown)
            else:
                pieces.append((face, shown))
        if direction == "rtl":
            pieces.reverse()
        return tuple(face.shape(text, direction) for face, text in pieces)

    def _face_for(self, char: str, current: Face) -> tuple[Face, str]:
        code = ord(char)
        if current is not self.main and code in current.coverage and not char.isascii():
            return current, char
        for face in (self.main, *self.fallbacks):
            if code in face.coverage:
                return face, char
        return self.main, f"[U+{code:04X}]"

    def _divided(self, word: str, places: tuple[int, ...]) -> tuple[tuple[int, int, int], ...]:
        found = self.main.divided(word, places)
        if found is None:
            found = tuple(
                (
                    place,
                    sum(run.width for run in self.runs(word[:place] + "-")),
                    sum(run.width for run in self.runs(word[place:])),
                )
                for place in places
            )
        return found

    def covers(self, char: str) -> bool:
        """Whether any face of the family has the character."""
        return any(ord(char) in face.coverage for face in (self.main, *self.fallbacks))


STYLES = {
    "body": "NotoSerif-Regular",
    "italic": "NotoSerif-Italic",
    "bold": "NotoSerif-Bold",
    "sans": "NotoSans-Regular",
    "sans-italic": "NotoSans-Italic",
    "sans-bold": "NotoSans-Bold",
}
FALLBACKS = {  # and how large beside Latin of the same size
    "NotoNaskhArabic-Regular": 1.0,
    "NotoSansDevanagari-Regular": 0.95,
    "NotoSansJavanese-Regular": 0.78,
    "NotoSansBalinese-Regular": 0.78,
    "NotoSansSundanese-Regular": 0.95,
}


@lru_cache(maxsize=1)
def families() -> dict[str, Family]:
    """The process's fonts by style name; read at first use."""
    number = len(STYLES)
    fallbacks: list[Face] = []
    for name, zoom in FALLBACKS.items():
        number += 1
        fallbacks.append(Face(FONTS / f"{name}.ttf", number, zoom=zoom))
    for path in SYSTEM_CJK:
        if path.exists():
            number += 1
            fallbacks.append(Face(path, number))
    shared = tuple(fallbacks)
    return {
        style: Family(Face(FONTS / f"{name}.ttf", place, latin=True), shared)
        for place, (style, name) in enumerate(STYLES.items(), start=1)
    }
