"""From a string to measured words: cleaning, emphasis, and the chunks a line is made of."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

from actors.pdf.fonts.faces import Run
from actors.pdf.fonts.families import Family, families
from actors.pdf.style import Type
from actors.pdf.text import hyphenation

HARD_BREAK = "\u2028"
# Unicode's default-ignorable characters: some would reorder or hide other people's text, none has ink. Joiners stay,
# because scripts need them.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_SPACES = re.compile("[\t\u1680\u2000-\u2006\u2008-\u200a\u205f\u3000]")  # those at which a line may end
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_BREAKS = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2029]")
_MARKUP = re.compile(r"\\(.)|(\*{1,2})", re.DOTALL)
_PIECES = re.compile(r"[^-/–—\u2010]*[-/–—\u2010]+|[^-/–—\u2010]+")
_TOWER = re.compile(r"[^\w\s!-~]{31,}")  # where a letter may carry too many marks
_LETTERS = re.compile(r"[^\W\d_]{6,}")
_WORD = re.compile(r"\W*[^\W\d_]+(?:[-’'][^\W\d_]+)*\W*")
_CODE = re.compile(r"[\d@]")
_NUMBER = re.compile(r"\W?\d{1,3}(?:[.,]\d{3})+(?:[.,]\d+)?")
_GROUPS = re.compile(r"[^.,]+[.,]?")
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_CJK = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")

PLAIN, ITALIC, BOLD = 0, 1, 2
REMEMBERED = 32  # Letters: longer words are shaped each time, because they would fill the cache.
LEAST_WIDTH = 0.3  # Points that a character takes at least: a line would hold any number of those without width.
LONGEST = 1_000  # Characters of a chunk, more than a line holds; the rest is another chunk.
_TALLEST = 30  # Marks that a letter may carry (UAX #15, Stream-Safe Text); no language needs more.


class Chunk:
    """A word or a piece of one, which a line divides only at its hyphenation points. Paragraphs share it: never change it."""

    __slots__ = ("below", "breakable", "family", "plain", "rtl", "runs", "space", "text", "type", "width")

    def __init__(self, text: str, family: Family, type_: Type, space: float, breakable: bool = False) -> None:
        self.text = text
        self.family = family
        self.type = type_
        self.runs: tuple[Run, ...] = family.runs(text) if len(text) <= REMEMBERED else family.long_runs(text)
        runs = self.runs
        width = (runs[0].width if len(runs) == 1 else sum(run.width for run in runs)) * type_.size / 1000
        least = LEAST_WIDTH * len(text)
        self.width = width if width > least else least
        self.space = space  # word space after it, points; 0: glued to the next one
        self.breakable = breakable  # a line may end after it although no space follows
        # All that a page needs to show, where family and type stay the same; or nothing.
        self.plain = runs[0].plain if len(runs) == 1 and runs[0].face is family.main else b""
        self.rtl = False
        self.below = 0.0  # points that its line is taller
        if not text.isascii():
            self.rtl = bool(_RTL.search(text))
            self.below = max((run.face.below for run in runs), default=0.0) * type_.size

    def like(self, text: str, space: float = 0.0, *, breakable: bool = False) -> "Chunk":
        """Another text, or another end, in the same family and type."""
        return Chunk(text, self.family, self.type, space, breakable)


def clean(text: str) -> str:
    """`text` composed (NFC) and safe to show.

    Control characters become visible; invisible tricks and towers of marks disappear.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _INVISIBLE.sub("", text)
    text = _TOWER.sub(_lowered, text)  # first: NFC sorts a letter's marks, in a time that grows with their square
    text = unicodedata.normalize("NFC", text)
    text = _SPACES.sub(" ", _BREAKS.sub(HARD_BREAK, text))
    return _CONTROL.sub(lambda found: f"[U+{ord(found.group()):04X}]", text)


def _lowered(found: re.Match[str]) -> str:
    kept: list[str] = []
    height = 0
    for char in found.group():
        height = height + 1 if _leans(char) else 0
        if height <= _TALLEST:
            kept.append(char)
    return "".join(kept)


def _leans(char: str) -> bool:
    """Whether a character takes no place of its own: marks, joiners, tags."""
    kind = unicodedata.category(char)
    return kind[0] == "M" or kind == "Cf"


def _clusters(text: str) -> list[str]:
    """Each letter with what leans on it."""
    clusters: list[str] = []
    for char in text:
        if clusters and _leans(char):
            clusters[-1] += char
        else:
            clusters.append(char)
    return clusters


def right_to_left(text: str) -> bool:
    """Whether a paragraph starts at the right: when three quarters of its letters run so.

    Unicode's rule, that the first letter decides (UAX #9, P2), would turn a paragraph round for the name it starts with.
    """
    if not _RTL.search(text):
        return False
    kinds = [unicodedata.bidirectional(char) for char in text]
    backwards = kinds.count("R") + kinds.count("AL")
    return backwards >= 3 * kinds.count("L") and backwards > 0


def right_to_left_parts(text: str) -> Iterator[tuple[int, int]]:
    """Where the right-to-left parts of a left-to-right line begin and end: at letters that run so."""
    first = last = -1
    for place, char in enumerate(text):
        if _RTL.match(char):
            first, last = (place if first < 0 else first), place + 1
        elif char.isalpha() and first >= 0:
            yield first, last
            first = -1
    if first >= 0:
        yield first, last


def one_line(text: str) -> str:
    """`text` in one line, for bookmarks, alternative texts and metadata."""
    return clean(text).replace(HARD_BREAK, " ")


def emphasis(text: str) -> list[tuple[str, int]]:
    r"""Split `*italic*` and `**bold**` into (text, weight); a backslash makes text of what follows."""
    if "*" not in text and "\\" not in text:
        return [(text, PLAIN)]
    spans: list[tuple[str, int]] = []
    literal: list[str] = []
    italic = bold = False
    place = 0
    for found in _MARKUP.finditer(text):
        literal.append(text[place : found.start()])
        place = found.end()
        if found.group(1) is not None:
            literal.append(found.group(1))
            continue
        spans.append(("".join(literal), BOLD if bold else ITALIC if italic else PLAIN))
        literal = []
        if found.group(2) == "**":
            bold = not bold
        else:
            italic = not italic
    literal.append(text[place:])
    spans.append(("".join(literal), BOLD if bold else ITALIC if italic else PLAIN))
    return [span for span in spans if span[0]]


def unmarked(text: str) -> str:
    """Marked-up text as it is read: for alternative texts, bookmarks, and what a code holds."""
    return "".join(part for part, _ in emphasis(text))


def measured(spans: Iterable[tuple[str, int]], type_: Type) -> list[list[Chunk]]:
    """The chunks of a paragraph, one list for each forced line."""
    fonts = families()
    lines: list[list[Chunk]] = [[]]
    for text, weight in spans:
        family = fonts[(type_.plain, type_.italic, type_.bold)[weight]]
        setting = _setting(family, type_)
        space = family.main.space * type_.size / 1000
        for number, part in enumerate(clean(text).split(HARD_BREAK)):
            if number:
                lines.append([])
            line = lines[-1]
            if part[:1] == " " and line and not line[-1].space:
                line[-1] = line[-1].like(line[-1].text, space, breakable=line[-1].breakable)
            words = part.split(" ")
            last = len(words) - 1
            for place, word in enumerate(words):
                if not word:
                    continue
                after = space if place < last else 0.0
                chunks = known_chunks if len(word) <= REMEMBERED else _chunks
                line += chunks(word, setting, after)
    return lines


def _pieces(word: str) -> tuple[str, ...]:
    """The parts of a word; between two of them a line may end without an added hyphen."""
    if len(word) <= LONGEST and word.isascii() and word.isalnum():
        return (word,)
    if _CJK.search(word):
        return tuple(_clusters(word))
    parts = _PIECES.findall(word)
    if len(parts) < 2 or any(len(part) < 3 for part in parts) or _CODE.search(word) or word.isupper():
        parts = [word]  # numbers, codes, and addresses of mail stay whole
    if len(word) <= LONGEST:
        return tuple(parts)
    return tuple(portion for part in parts for portion in _portions(part))


@dataclass(frozen=True, slots=True, eq=False)
class _Setting:
    """A family and a type, as one key: their own values would take longer to compare than a word to measure."""

    family: Family
    type: Type


_setting = lru_cache(maxsize=200)(_Setting)


def _chunks(word: str, setting: _Setting, space: float) -> tuple[Chunk, ...]:
    """A word as a paragraph holds it, with the space after it."""
    family, type_ = setting.family, setting.type
    *pieces, end = _pieces(word)
    ended = Chunk(end, family, type_, space)
    return (*[Chunk(piece, family, type_, 0.0, breakable=True) for piece in pieces], ended) if pieces else (ended,)


known_chunks = lru_cache(maxsize=3_000)(_chunks)


def _portions(part: str) -> list[str]:
    """The part itself, or pieces of it when no line could hold it."""
    if len(part) <= LONGEST:
        return [part]
    clusters = _clusters(part)
    size = LONGEST // (1 + max(map(len, clusters)))
    return ["".join(clusters[first : first + size]) for first in range(0, len(clusters), size)]


@lru_cache(maxsize=3_000)
def hyphen_places(word: str, language: str = "id") -> tuple[int, ...]:
    """Where a word may be divided; numbers, codes and addresses are left whole, and names (capitalised words) are left whole."""
    found = _LETTERS.search(word) if _WORD.fullmatch(word) else None
    if not found or found.group()[0].isupper() or not found.group().isascii():
        return ()
    first = found.start()
    return tuple(first + place for place in hyphenation.places(found.group(), language))


def shredded(chunk: Chunk, measure: float) -> list[Chunk]:
    """A chunk that is too wide for the measure, cut between letters, but never before a combining mark.

    A number is cut behind its thousands, so that no part of it looks like another number.
    """
    clusters = _GROUPS.findall(chunk.text) if _NUMBER.fullmatch(chunk.text) else _clusters(chunk.text)
    if len(clusters) == 1 and chunk.runs[0].missing:  # no font has it: [U+1023AD]
        clusters = list("".join(run.text for run in chunk.runs))

    def cut(first: int, count: int) -> Chunk:
        text = "".join(clusters[first : first + count])
        return chunk.like(text, breakable=True)

    pieces: list[Chunk] = []
    first = 0
    count = int(len(clusters) * measure / chunk.width)
    while first < len(clusters):
        count, piece = longest(partial(cut, first), len(clusters) - first, measure, count)
        first += count
        if piece.width > measure and len(piece.text) > 1:  # one letter under a tower of marks
            pieces += [chunk.like(char, breakable=True) for char in piece.text]
        else:
            pieces.append(piece)
    pieces[-1] = chunk.like(pieces[-1].text, chunk.space, breakable=chunk.breakable)
    return pieces


def longest(made: Callable[[int], Chunk], most: int, room: float, likely: int) -> tuple[int, Chunk]:
    """The greatest count from 1 to `most` whose chunk `made(count)` fits the room, and that chunk; 1 when none does.

    It tries counts near the `likely` one first, so that it shapes no text longer than a few times the answer.
    """
    fits, beyond, found = 0, most + 1, None
    count = min(max(likely, 1), most)
    for turn in range(most + 1):
        chunk = made(count)
        if chunk.width <= room:
            fits, found = count, chunk
        else:
            beyond = count
        if beyond - fits <= 1:
            break
        if turn < 3:
            count = min(int(count * room / chunk.width) if chunk.width else most, 2 * count)
        else:
            count = 2 * count if beyond > most else (fits + beyond) // 2
        count = min(max(count, fits + 1), beyond - 1)
    return (fits, found) if found else (1, made(1))
