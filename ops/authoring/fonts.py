"""Makes the static font subsets kept beside the renderer, from Debian's fonts-noto-core.

Run `apt-get install fonts-noto-core`, then `python -m ops.authoring fonts`. The result is committed, so that
nothing depends on what a machine has installed. Hinting is dropped: it is half of each file, and neither printers nor
PDF viewers use it.
"""

from pathlib import Path

from fontTools import subset
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

from actors.pdf.fonts.families import FALLBACKS, STYLES
from actors.pdf.fonts.font_file import FONTS

SOURCE = Path("/usr/share/fonts/truetype/noto")
MINUS = 0x2212

LATIN = (
    "U+0020-007E,U+00A0-024F,U+0259,U+02B0-02FF,U+0300-036F,U+0370-03FF,U+0400-04FF,U+1E00-1EFF,"
    "U+2000-206F,U+2070-209F,U+20A0-20BF,U+2100-2122,U+2150-215E,U+2190-2193,U+2212,U+221E,U+2248,"
    "U+2260,U+2264,U+2265,U+25CC,U+FB00-FB04,U+FFFD"
)
EVERYTHING = "U+0000-10FFFF"
FACES = {
    **dict.fromkeys(STYLES.values(), LATIN),
    **dict.fromkeys(FALLBACKS, EVERYTHING),
    "NotoSansMath-Regular": "U+0020,U+2190-22FF,U+2308-230B,U+27F5-27FF",
    "NotoSansSymbols-Regular": "U+0020,U+2460-24FF,U+2600-27BF",
    "NotoSansSymbols2-Regular": "U+0020,U+25A0-25FF,U+2600-27BF",
}


def make(name: str, unicodes: str) -> Path:
    """Write one subset; raises FileNotFoundError when the Debian package is not installed."""
    options = subset.Options()
    options.hinting = False
    options.layout_features = [] if unicodes.startswith("U+0020,") else ["*"]
    options.drop_tables += ["MATH"]
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.notdef_outline = True
    options.recalc_timestamp = False
    font = TTFont(SOURCE / f"{name}.ttf", recalcTimestamp=False)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=subset.parse_unicodes(unicodes.replace("U+", "")))
    subsetter.subset(font)
    if name in STYLES.values():
        _add_minus(font)
    target = FONTS / f"{name}.ttf"
    font.save(target)
    return target


def _add_minus(font: TTFont) -> None:
    """A minus sign of the face's own weight and slope, which Noto's text faces lack: the bar of their plus sign."""
    cmap = font.getBestCmap()
    if MINUS in cmap:
        return
    glyphs, plus = font["glyf"], cmap[ord("+")]
    points = list(glyphs[plus].getCoordinates(glyphs)[0])
    low, high = sorted({y for _, y in points})[1:3]
    pen = TTGlyphPen(None)
    pen.moveTo((min(x for x, y in points if y == low), low))
    for edge, y in ((min, high), (max, high), (max, low)):
        pen.lineTo((edge(x for x, level in points if level == y), y))
    pen.closePath()
    font.setGlyphOrder([*font.getGlyphOrder(), "minus"])
    glyphs["minus"] = pen.glyph()
    glyphs["minus"].recalcBounds(glyphs)
    font["hmtx"]["minus"] = (font["hmtx"][plus][0], glyphs["minus"].xMin)
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap[MINUS] = "minus"


def main(argv: list[str]) -> int:
    """Remake every subset, or those named."""
    for name, unicodes in FACES.items():
        if argv and name not in argv:
            continue
        target = make(name, unicodes)
        print(f"{target.stat().st_size:>8,}  {target.name}")
    return 0
