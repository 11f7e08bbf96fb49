"""The page for template authors: every block with its source and a picture of it, made by the renderer
itself.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import yaml
from PIL import Image, ImageChops

from actors.pdf.product import blocks
from actors.pdf.renderer import PdfRenderer
from ops.authoring.gallery import examples, make_product, sample
from ops.authoring.raster import pages, save
from ops.authoring.sheets import DATE
from schema.ports import RenderRequest

HERE = Path(__file__).parent
PAGE = HERE / "blocks.md"
DPI = 80
FURNITURE = 0.10  # of the page's height at top and foot
INTRODUCTION = """\
# Writing a report template

This page is made by `python -m ops.authoring`; the pictures are drawn by the renderer. A product is a folder:

| file | what it holds |
|---|---|
| `template.yaml` | title, subject, header, scales and the list of blocks |
| `texts.yaml` | running texts and interpretation rules, reached as `teks.…`; may hold values and emphasis |
| `schema.json` | the JSON Schema that a report's data must fit |
| `sample.json` | a realistic report; `templates check` draws it |

Put the folder beside the shipped ones or into a folder named by `REPORTQ_TEMPLATES_DIR`: no code, no restart.
`ops/reportq templates check` says what is wrong and where; `ops/reportq render --product P -o out.pdf
--watch` draws again at every change.

Values stand in double braces: `{{ peserta.nama }}`. Fields marked *expression* hold one expression without
braces. Beside Jinja's own filters there are `angka` (Indonesian numbers, `angka(1)` with one decimal),
`tanggal` (a date written out), `tertinggi(n)` and `terendah(n)` (by `skor`, or another key; what was not
measured is left out), `terkuat(n)` and `terlemah(n)` (what may be called strong and weak beside the rest: at
most half of the list, never the same element in both, nothing when all scores are equal or too few),
`kategori('scale')`, `tafsiran('scale')` and `tingkat('scale')` (name, text and place of the norm band a
score falls into). What comes from the data never counts as markup.

Latin, Greek, Cyrillic, Arabic, Devanagari, Javanese, Balinese and Sundanese come along. For Chinese, Japanese
and Korean names install Debian's `fonts-droid-fallback` (4 MB) on every host that renders; no setting is needed.
A character no font has is shown as its number, `[U+738B]`; the worker logs `report.fonts_missing` with the
scripts, `render` and `templates check` say so, and `ops/reportq doctor` says which scripts there are.

What grows with the data grows in a straight line, up to 1,000 pages: a report that would fill more is refused with
`invalid_data`. A letter keeps thirty combining marks. Give lists `maxItems` and texts `maxLength` in `schema.json`
all the same: its own patterns are run as they are written.
"""


def picture_of(name: str) -> Image.Image:
    """One example, cropped to what it drew; two pages side by side when it needs them."""
    with tempfile.TemporaryDirectory() as folder:
        product = make_product(Path(folder), (name, "heading") if name == "contents" else (name,))
        request = RenderRequest(product, sample(), "pdf_contoh", DATE)
        drawn = pages(PdfRenderer((Path(folder),)).render(request), DPI)
    whole = name == "cover"
    parts = [_cropped(picture.convert("RGB"), whole) for picture in drawn[: 2 if name == "page_break" else 1]]
    joined = Image.new("RGB", (sum(p.width for p in parts), max(p.height for p in parts)), (255, 255, 255))
    left = 0
    for part in parts:
        joined.paste(part, (left, 0))
        left += part.width
    return joined


def _cropped(picture: Image.Image, whole: bool) -> Image.Image:
    if whole:
        return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)
    edge = round(picture.height * FURNITURE)
    inner = picture.crop((0, edge, picture.width, picture.height - edge))
    box = ImageChops.difference(inner, Image.new("RGB", inner.size, (255, 255, 255))).getbbox()
    if box is None:
        return inner.crop((0, 0, inner.width, 40))
    margin = 12
    return inner.crop(
        (max(0, box[0] - margin), max(0, box[1] - margin), box[2] + margin, min(inner.height, box[3] + margin))
    )


def _fields(tag: str) -> str:
    """The block's fields with types and defaults, from the classes that check them."""
    for kind in blocks.Block.__args__:
        info = msgspec.inspect.type_info(kind)
        if not isinstance(info, msgspec.inspect.StructType) or info.tag != tag:
            continue
        shown = []
        for field in info.fields:
            name = type(field.type).__name__.removesuffix("Type").lower()
            default = "" if field.required else f" = {field.default!r}"
            if field.default_factory is not msgspec.NODEFAULT:
                default = " = []"
            shown.append(f"`{field.name}` {name}{default}")
        return "; ".join(shown)
    return ""


def main(_argv: list[str]) -> int:
    """Write the page and its pictures."""
    parts = [INTRODUCTION]
    for example in examples():
        name = example["name"]
        target = HERE / "pictures" / f"{name}.png"
        save(picture_of(name), target)
        source = yaml.safe_dump(example["blocks"], allow_unicode=True, sort_keys=False, width=100)
        parts.append(f"## {name}\n\n{example['about']}\n\nFields: {_fields(name)}\n")
        parts.append(f"```yaml\n{source}```\n\n![{name}](pictures/{name}.png)\n")
        print(f"{target.stat().st_size / 1024:6.0f} kB  {target.name}")
    PAGE.write_text("\n".join(parts), "utf-8")
    print(PAGE)
    return 0
