"""Which faces set a style, and which are asked for characters it lacks."""

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import lru_cache
from itertools import count
from pathlib import Path

from actors.pdf.fonts.faces import Face, Run
from actors.pdf.fonts.font_file import FONTS, SOFT_HYPHEN, unusable

WORDS = 3_000  # measured words that a family remembers: the texts of a few products, 2 MB.
# Han, Kana and Hangul are optional: they need Debian's fonts-droid-fallback (4 MB).
SYSTEM_CJK = (
    Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"),
    Path("/usr/share/fonts-droid-fallback/truetype/DroidSansFallback.ttf"),
)
_reading = threading.RLock()  # Reads each face once, else one document has two faces with one number.
FIRST_OWN = 101  # The number of a brand's first face; no other face of a document has it.
CJK = "\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"


class FontError(ValueError):
    """A file that cannot set the style; the text says why."""

    def __init__(self, style: str, why: str) -> None:
        super().__init__(why)
        self.style = style


class Fallback:
    """A face for other scripts, read when the first character of its blocks is met."""

    def __init__(self, path: Path, number: int, blocks: str, zoom: float = 1.0, below: float = 0.0) -> None:
        self.path = path
        self._number = number
        self._blocks = re.compile(f"[{blocks}]")
        self._zoom = zoom
        self._below = below
        self._face: Face | None = None

    @property
    def face(self) -> Face:
        if self._face is None:
            with _reading:
                self._face = self._face or Face(self.path, self._number, zoom=self._zoom, below=self._below)
        return self._face

    def meant_for(self, char: str) -> bool:
        """Whether the face was made for the character's script; such faces are asked first."""
        return self._blocks.match(char) is not None


class Family:
    """A main face and the faces tried, in order, for characters it lacks."""

    def __init__(self, main: Face, fallbacks: tuple[Fallback, ...]) -> None:
        self.main = main
        self.fallbacks = fallbacks
        self.runs = lru_cache(maxsize=WORDS)(self.long_runs)
        self.divided = lru_cache(maxsize=WORDS)(self._divided)

    def long_runs(self, word: str, direction: str | None = None) -> tuple[Run, ...]:
        """`word` (no spaces, already cleaned) in as few runs as coverage allows, from left to right.

        Without a `direction` every run has that of its script; with one, all of them have it. `runs` remembers words.
        """
        main = self.main.coverage
        if all(ord(char) in main for char in word):
            return (self.main.shape(word, direction),)
        pieces: list[tuple[Face, str, str]] = []  # face, what it shows, what it could not show
        for char in word:
            face = self._face_for(char, pieces[-1][0] if pieces else self.main)
            shown, missing = (char, "") if face else (f"[U+{ord(char):04X}]", char)
            face = face or self.main
            if pieces and pieces[-1][0] is face and bool(pieces[-1][2]) == bool(missing):
                pieces[-1] = (face, pieces[-1][1] + shown, pieces[-1][2] + missing)
            else:
                pieces.append((face, shown, missing))
        if direction == "rtl":
            pieces.reverse()
        return tuple(
            replace(face.shape(shown), missing=missing) if missing else face.shape(shown, direction)
            for face, shown, missing in pieces
        )

    def _face_for(self, char: str, current: Face) -> Face | None:
        """The face that draws a character, None when there is none."""
        code = ord(char)
        if current is not self.main and code in current.coverage and not char.isascii():
            return current
        if code in self.main.coverage:
            return self.main
        likely = [fallback for fallback in self.fallbacks if fallback.meant_for(char)]
        for fallback in (*likely, *self.fallbacks):
            if code in fallback.face.coverage:
                return fallback.face
        return None

    def _divided(self, word: str, places: tuple[int, ...]) -> tuple[tuple[int, int, int], ...]:
        def width(part: str) -> int:
            return sum(run.width for run in self.runs(part))

        found = self.main.divided(word, places)
        if found is None:
            found = tuple((place, width(word[:place] + SOFT_HYPHEN), width(word[place:])) for place in places)
        return found


STYLES = {
    "body": "NotoSerif-Regular",
    "italic": "NotoSerif-Italic",
    "bold": "NotoSerif-Bold",
    "sans": "NotoSans-Regular",
    "sans-italic": "NotoSans-Italic",
    "sans-bold": "NotoSans-Bold",
}
FALLBACKS = {  # their blocks, their size beside Latin of the same size, and how much farther down a line of them reaches
    "NotoSansMath-Regular": ("\u2190-\u22ff\u2308-\u230b\u27f5-\u27ff", 1.0, 0.0),
    "NotoSansSymbols2-Regular": ("\u25a0-\u27bf", 1.0, 0.0),
    "NotoSansSymbols-Regular": ("\u2460-\u24ff", 1.0, 0.0),
    "NotoNaskhArabic-Regular": ("\u0600-\u08ff\ufb50-\ufdff\ufe70-\ufeff", 1.0, 0.0),
    "NotoSansDevanagari-Regular": ("\u0900-\u097f\u1cd0-\u1cff\ua830-\ua83f\ua8e0-\ua8ff", 0.95, 0.0),
    "NotoSansJavanese-Regular": ("\ua980-\ua9df", 0.78, 0.3),
    "NotoSansBalinese-Regular": ("\u1b00-\u1b7f", 0.78, 0.3),
    "NotoSansSundanese-Regular": ("\u1b80-\u1bbf\u1cc0-\u1ccf", 0.95, 0.0),
}
# These come along.
SCRIPTS = ("Latin", "Greek", "Cyrillic", "Arabic", "Devanagari", "Javanese", "Balinese", "Sundanese")

_own: ContextVar[Mapping[str, Family] | None] = ContextVar("own", default=None)


def cjk_fonts() -> list[Path]:
    """The fonts for Han, Kana and Hangul that this machine has."""
    return [path for path in SYSTEM_CJK if path.exists()]


def scripts_of(chars: Iterable[str]) -> list[str]:
    """The scripts of characters, after Unicode's names for letters. A log may show them, but never a person's name."""
    return sorted({_script(char) for char in chars})


def _script(char: str) -> str:
    if unicodedata.category(char)[0] not in "LM":
        return "symbols"
    word = unicodedata.name(char, "unnamed").split()[0]
    return word if word == "CJK" else word.title()


def families() -> Mapping[str, Family]:
    """The fonts of the document that is set now, by style name: the process's own, or a brand's."""
    return _own.get() or _shipped()


@contextmanager
def setting_in(fonts: Mapping[str, Family]) -> Iterator[None]:
    """Set in these families until the block ends."""
    token = _own.set(fonts)
    try:
        yield
    finally:
        _own.reset(token)


def families_in(fonts: Mapping[str, Path | str]) -> Mapping[str, Family]:
    """The families when some styles have a font file of their own, or are set as another style. Raises FontError."""
    named = tuple((style, font, _age(font)) for style, font in sorted(fonts.items()))
    return _branded(named) if named else _shipped()


def _age(font: Path | str) -> int:
    return font.stat().st_mtime_ns if isinstance(font, Path) else 0


@lru_cache(maxsize=2)  # a face takes a megabyte or two
def _branded(fonts: tuple[tuple[str, Path | str, int], ...]) -> Mapping[str, Family]:
    with _reading:
        usual = _shipped()
        made = dict(usual)
        for style, font, _ in fonts:
            made[style] = usual[font] if isinstance(font, str) else _family_of(style, font, usual[style])
        return made


def _family_of(style: str, path: Path, usual: Family) -> Family:
    """A font file's family; what the file lacks is set as usual."""
    if why := unusable(path):
        raise FontError(style, f"{path.name} {why}")
    number = FIRST_OWN + list(STYLES).index(style)
    instead = Fallback(usual.main.path, usual.main.number, r"\s\S")  # meant for all that it has
    instead._face = usual.main
    return Family(Face(path, number, latin=True, quick=False), (instead, *usual.fallbacks))


def _shipped() -> Mapping[str, Family]:
    with _reading:
        return _families()


@lru_cache(maxsize=1)
def _families() -> Mapping[str, Family]:
    numbers = count(1)
    main = {style: Face(FONTS / f"{name}.ttf", next(numbers), latin=True) for style, name in STYLES.items()}
    fallbacks = [Fallback(FONTS / f"{name}.ttf", next(numbers), *how) for name, how in FALLBACKS.items()]
    fallbacks += [Fallback(path, next(numbers), CJK) for path in cjk_fonts()]
    return {style: Family(face, tuple(fallbacks)) for style, face in main.items()}
