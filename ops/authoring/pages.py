"""The page for template authors: every block with its source and a picture of it, which the renderer draws."""

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

Put the folder beside the shipped ones or into a folder named by `REPORTQ_TEMPLATES_DIR`. It needs no code and no
restart. `ops/reportq templates check` says what is wrong and where. `ops/reportq render --product P -o out.pdf --watch`
draws again at every change.

Values stand in double braces: `{{ peserta.nama }}`. Fields marked *expression* hold one expression without
braces. What comes from the data never counts as markup. Beside Jinja's own filters there are these:

| filter | what it gives |
|---|---|
| `angka`, `angka(1)` | an Indonesian number; the same with one decimal |
| `tanggal` | a date, written out |
| `tertinggi(n)`, `terendah(n)` | the highest and the lowest by `skor`, or by another key; what was not measured is left out |
| `terkuat(n)`, `terlemah(n)` | what may be called strong and weak beside the rest |
| `kategori('scale')`, `tafsiran('scale')`, `tingkat('scale')` | name, text and place of the norm band that a score falls into |

`terkuat` and `terlemah` name at most half of the list each, and never the same element. They name nothing when all
scores are equal or too few.

Latin, Greek, Cyrillic, Arabic, Devanagari, Javanese, Balinese and Sundanese come along. For Chinese, Japanese
and Korean names install Debian's `fonts-droid-fallback` (4 MB) on every host that renders; no setting is needed.
A character that no font has is shown as its number, `[U+738B]`. Then the worker logs `report.fonts_missing` with the
scripts, and `render` and `templates check` say so. `ops/reportq doctor` says which scripts there are.

The time for a report grows in a straight line with its data. A report that would fill more than 1,000 pages is refused
with `invalid_data`. A letter keeps thirty combining marks. Still give lists `maxItems` and texts `maxLength` in
`schema.json`, because its patterns run as they are written.
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
