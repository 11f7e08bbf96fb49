"""Where a word may be divided: LibreOffice's patterns (pyphen), in Indonesian minus what they do not know of affixes.

The patterns divide by syllables; the spelling rules (EYD V, III.A) divide a derived word at its affixes first. A word
is not divided where the two may differ. A list holds the words of our texts that deserve better.
"""

import functools
import re

import pyphen

LEFT = RIGHT = 3  # letters: fewer never stand alone at a line's end or beginning
DIVIDED = (
    "antar-manusia", "ber-akhir", "ber-asal", "ber-ikut", "ber-ikutnya", "ber-istirahat", "ber-olah-raga",
    "ber-usaha", "kesa-lahan", "manu-skrip", "memi-liki", "meng-ikuti", "olah-raga", "pasca-sarjana", "pengi-ngat",
    "per-empuan", "per-iklanan", "per-ingatan", "per-ubahan", "per-ubahan-nya", "peri-laku", "sebaik-nya", "sese-orang",
    "ter-akhir", "ter-ampil", "ter-utama", "trans-formasi", "trans-krip", "trans-portasi", "wira-swasta", "wira-usaha",
    "wira-usaha-wan",
)  # fmt: skip
EXCEPTIONS = {
    "".join(parts): [len("".join(parts[:number])) for number in range(1, len(parts))]
    for parts in (word.split("-") for word in DIVIDED)
}
# Prefix and vowel: the patterns draw the prefix's consonant to the root (be-ro-lah) or the root's vowel to the prefix.
_PREFIX = re.compile("(?:ber|ter|per)(?=[aiueo])|(?:ke|se|di)(?=[aiueo])")
# The suffix -an keeps its root's last consonant on its own side of the hyphen: perubah-an, not peruba-han.
_SUFFIX = re.compile("(?:n[gy]|sy|kh|[^aiueo])an(?:nya|mu|ku|lah|kah|pun)?")
_VERB = re.compile("me|di|ter")  # whose ending -kan is a suffix: menyata-kan, but pendidik-an
_WHOLE_PREFIX = re.compile("(?:mem|pem)?(?:ber|ter|per)|meng|peng|antar|pasca|trans")
_ENDING = re.compile("an(?:nya|mu|ku|lah|kah|pun)")
_VOWELS = frozenset("aiueo")
# Three consonants or more divide behind the first of them (EYD V, III.A.1.d). Two letters that are one sound count as
# one, and so do the ends of the loan prefixes abs-, obs-, subs- and eks-.
_CLUSTER = re.compile("[^aiueo]{3,}")
_ONE_SOUND = ("ng", "ny", "sy", "kh", "bs", "ks")
_OWN_SYLLABLE = re.compile("(?:kan|nya|lah|kah|pun|mu|ku)$")
_DICTIONARIES = {"id": "id_ID", "en": "en_US"}


def places(word: str, language: str = "id") -> list[int]:
    """The letters before which `word` (lower case, letters only) may be divided."""
    if language == "en":
        return _by_patterns(word, language)
    known = EXCEPTIONS.get(word)
    if known is not None:
        return known
    prefix = _PREFIX.match(word)
    spoilt = range(prefix.end() + 1, prefix.end() + (2 if prefix.end() == 3 else 3)) if prefix else ()
    found = _mended(word, [place for place in _by_patterns(word, language) if place not in spoilt])
    return [
        place
        for place in found
        if place + 1 not in found  # a lone letter (tran-s-krip, kena-i-nya) stays with what stands before it
        and not _tears_suffix(word, place)
        and not _tears_syllable(word, place)
    ]


def _by_patterns(word: str, language: str) -> list[int]:
    patterns = _patterns(language)
    patterns.hd.cache.clear()  # pyphen remembers every word for ever, and names would pile up
    return [int(place) for place in patterns.positions(word)]


@functools.cache
def _patterns(language: str) -> pyphen.Pyphen:
    """Read when the first word of the language is divided: a command that draws nothing does without 0.1 s."""
    return pyphen.Pyphen(lang=_DICTIONARIES[language], left=LEFT, right=RIGHT)


def _mended(word: str, found: list[int]) -> list[int]:
    """The same places, those within clusters of consonants put behind the first consonant."""
    for cluster in _CLUSTER.finditer(word):
        start, end = cluster.span()
        place = start + (2 if word.startswith(_ONE_SOUND, start) else 1)
        inner = [one for one in found if start < one < end]
        if not inner or start == 0 or word[place:end] in _ONE_SOUND or end - place < 2:
            continue
        if any(word.endswith("trans", 0, one) or _OWN_SYLLABLE.match(word, one) for one in inner):
            continue
        found = sorted({*found, place} - (set(inner) - {place}))
    return [place for place in found if LEFT <= place <= len(word) - RIGHT]


def _tears_suffix(word: str, place: int) -> bool:
    if not _SUFFIX.fullmatch(word, place):
        return False
    own = word.startswith("kan", place) and (_VERB.match(word) is not None or word[place - 1] not in _VOWELS)
    return not own


def _tears_syllable(word: str, place: int) -> bool:
    """A consonant before a vowel begins its syllable (memi-liki), unless a prefix ends or a suffix begins there."""
    if word[place - 1] in _VOWELS or word[place] not in _VOWELS:
        return False
    return not (_WHOLE_PREFIX.fullmatch(word, 0, place) or _ENDING.fullmatch(word, place))
