"""What the reports of one house share: `brand.yaml` in a folder of products, and each `template.yaml` over it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from schema.prepared import prepare

BRAND = "brand.yaml"
Colour = Annotated[str, Meta(pattern="^#[0-9A-Fa-f]{6}$")]
Style = Literal["body", "italic", "bold", "sans", "sans-italic", "sans-bold"]
JOINED = ("colours", "fonts", "page")  # A template may replace a part of these.
# Each colour, its background and the least contrast. A report is also read in grey and on paper.
_CONTRASTS = (("primary", "#FFFFFF", 7.0), ("accent", "#FFFFFF", 3.0), ("ground", "#000000", 14.0))


class Strict(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What an author writes: an unknown field is an error."""


class Logo(Strict, frozen=True, kw_only=True):
    """A PNG or JPEG beside the YAML file, with a text for those who cannot see it."""

    file: str
    alternative: Annotated[str, Meta(min_length=1)]


class Colours(Strict, frozen=True, kw_only=True):
    """As #RRGGBB; the house's own when left out."""

    primary: Colour | None = None  # headings, data, the cover
    accent: Colour | None = None  # short rules and markers
    ground: Colour | None = None  # below call-outs, and small letters on the cover


class Page(Strict, frozen=True, kw_only=True):
    """The sheet."""

    size: Literal["A4", "Letter", "A5"] = "A4"
    orientation: Literal["portrait", "landscape"] = "portrait"


class Brand(Strict, frozen=True, kw_only=True):
    """A whole `brand.yaml`. Each field may stand in a `template.yaml` as well, and counts there."""

    logo: Logo | None = None  # on the cover, and small at the head of each page
    colours: Colours = Colours()
    fonts: dict[Style, str] = {}  # a file beside the YAML file, or another style of those that come along
    page: Page = Page()
    header: str = ""
    footer: str = ""  # below the id, two lines at most
    author: str = "reportq"
    language: str = "id"  # For numbers, dates, hyphens and the program's own words: id or en, or with a region en-GB.
    time_zone: str = ""  # The zone whose days are printed, as Asia/Makassar; else the settings' zone.


def files_in(folder: Path) -> Sequence[Path]:
    """The files of a folder, in a fixed order."""
    return sorted(path for path in folder.iterdir() if path.is_file())


def files_of(folder: Path) -> Sequence[Path]:
    """What a product is made of: the files of its folder, and those beside a brand.yaml one folder up."""
    return [*files_in(folder), *(files_in(folder.parent) if (folder.parent / BRAND).is_file() else ())]


def merged(usual: Any, own: Any) -> Any:
    """A template's own content, completed by its brand or its original."""
    if not isinstance(usual, Mapping) or not isinstance(own, Mapping):
        return own
    both = {**usual, **own}
    for name in JOINED:
        if isinstance(usual.get(name), Mapping) and isinstance(own.get(name), Mapping):
            both[name] = {**usual[name], **own[name]}
    return both


def faint(colours: Colours) -> Iterator[tuple[str, str]]:
    """Each colour that cannot be told from its ground, and what is wrong with it."""
    for name, ground, least in _CONTRASTS:
        colour = getattr(colours, name)
        if colour and (found := contrast(colour, ground)) < least:
            way = "darker" if ground == "#FFFFFF" else "lighter"
            yield name, f"{colour} has a contrast of {found:.1f} with {ground}; {least:g} is needed: take a {way} one"


def contrast(first: str, second: str) -> float:
    """How far two colours differ in lightness, from 1 to 21 (WCAG 2, 1.4.3)."""
    dark, light = sorted((_luminance(first), _luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


prepare(__name__)
