"""The page for template authors: every block with its source and a picture of it, which the renderer draws."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import yaml
from PIL import Image, ImageChops

from actors.pdf.filling import MOST_PAGES
from actors.pdf.marks import QR_BYTES
from actors.pdf.product import blocks
from actors.pdf.product.measure import MOST_COMPARED
from actors.pdf.product.picture import MOST_BYTES, MOST_DATA_BYTES, MOST_DATA_PIXELS, MOST_PIXELS
from actors.pdf.product.values import MOST_BITS, MOST_REPEATED
from actors.pdf.renderer import PdfRenderer
from actors.pdf.style import READABLE
from ops.authoring.gallery import examples, make_product, sample
from ops.authoring.raster import pages, save
from ops.authoring.sheets import DATE
from schema.ports import RenderRequest

HERE = Path(__file__).parent
PAGE = HERE / "blocks.md"
DPI = 80
FURNITURE = 0.10  # of the page's height at top and foot
INTRODUCTION = f"""\
# Writing a report template

This page is made by `python -m ops.authoring`; the pictures are drawn by the renderer. A product is a folder:

| file | what it holds |
|---|---|
| `template.yaml` | title, subject, scales and the list of blocks; and all that a brand says, where it differs |
| `texts.yaml` | texts and interpretation rules, reached as `teks.…`; with emphasis, and values of the block that uses them |
| `schema.json` | the JSON Schema that a report's data must fit |
| `sample.json` | a realistic report; `templates check` draws it |

Beside the folders may stand one `brand.yaml`, which holds for all of them: see [Brand](#brand).

Put the folder beside the shipped ones or into a folder named by `REPORTQ_TEMPLATES_DIR`. It needs no code and no
restart. `ops/reportq templates check` says what is wrong and where. `ops/reportq render --product P -o out.pdf --watch`
draws again at every change.

Values stand in double braces: `{{{{ peserta.nama }}}}`. Fields marked *expression* hold one expression without
braces. What comes from the data never counts as markup. Beside Jinja's own filters there are these:

| filter | what it gives |
|---|---|
| `angka`, `angka(1)` | a number as the language writes it; the same with one decimal |
| `paragraf` | a text of the report with its own paragraphs and lists: lines that begin with `-`, `•` or `*` are entries |
| `tanggal` | a date, written out; of a moment with an offset the day of the report's time zone |
| `kategori('scale')`, `tafsiran('scale')` | name and text of the bands that a score's interval touches |
| `tingkat('scale')` | the place of the score's own band, from 0; none when its interval touches more than two |
| `skor('scale')` | the score with the scale's decimals; beyond the scale `> 160` or `< 40` |
| `rentang('scale')`, `rentang('scale', low, high)` | the interval, as `92–118`; the given ends come first |
| `rentang_ulang('scale')` | the interval of the score of a second, equivalent test |
| `persentil('scale')` | 1 to 99, or `<1` and `>99` |
| `terkuat(n, skala='scale')`, `terlemah(n, skala='scale')` | what is set apart from all others |
| `tertinggi(n, skala='scale')`, `terendah(n, skala='scale')` | the highest and the lowest, with all that equal the last |
| `terbedakan('scale')` | each element that is higher for certain than others, with those as `lebih_rendah` |
| `'scale' | terukur` | whether the scale says how exactly it measures: only then are there intervals and comparisons |
| `'scale' | norma`, `'scale' | keyakinan`, `'scale' | selisih_kritis` | the group, the level, and what error alone explains |

Those that compare take `skor` of each element, or another field with `key=`, and leave out what was not measured.
Equal means here: not further apart than error alone explains. An unknown norm prints no interval, no percentile, no
band and no comparison.

Expressions compute with `+ - * / // % **`. Powers of more than {MOST_BITS:,} bits are refused, and so are texts and lists
that are repeated to more than {MOST_REPEATED:,} letters or elements.

An error names the file, the line and the place, and lists what may stand there.

## Fields of template.yaml

| field | what it means |
|---|---|
| `title` | of the document, for readers and in lists; needed |
| `subject` | one line about the document, for its metadata; needed |
| `blocks` | the report, from top to bottom; needed. Each kind has a part of this page |
| `scales` | see [Scales](#scales) |
| `edition_of` | the product whose blocks and scales it takes, see [A second language](#a-second-language) |

Each field of a brand may stand here as well.

## Brand

```yaml
logo: {{file: logo.png, alternative: "Biro Psikologi Cakrawala"}}
colours: {{primary: "#14532D", accent: "#B45309", ground: "#F2F5EE"}}
fonts: {{sans: Perusahaan-Regular.ttf, sans-bold: Perusahaan-Bold.ttf, italic: body}}
page: {{size: A5, orientation: landscape}}
header: "Biro Psikologi Cakrawala"
footer: "Jalan Melati 7, Yogyakarta · 0274 000 000"
author: "Biro Psikologi Cakrawala"
language: en-GB
time_zone: Asia/Makassar
```

What a `template.yaml` says goes before. Of `colours`, `fonts` and `page` it may replace a part. The shipped reports take no
brand where they are: copy or link their folders beside your `brand.yaml`. A template's version changes with its brand.

| field | what it means |
|---|---|
| `logo` | `file`, a PNG or JPEG beside the YAML file, and its `alternative`; on the cover, and small at each page's head |
| `colours` | `primary` of headings, data and cover; `accent` of short rules and markers; `ground` of call-outs |
| `fonts` | for some styles a static TrueType file beside the YAML file, or the name of another style |
| `page` | `size` is A4, Letter or A5; `orientation` is portrait or landscape |
| `header` | one line at the head of each page; may hold values |
| `footer` | two lines at most below the document's id; may hold values |
| `author` | of the document, in its metadata; may hold values |
| `language` | `id` or `en`, or with a region `en-GB`: of numbers, months, hyphens, page numbers and the words of charts |
| `time_zone` | whose days are printed, such as `Asia/Makassar`; it goes before the setting `REPORTQ_TIME_ZONE` |

Colours are `#RRGGBB`. Reports are also read in grey, so `primary` needs a contrast of 7 : 1 with white, `accent` of 3 : 1
with white, and `ground` of 14 : 1 with black. Styles are `body`, `italic`, `bold`, `sans`, `sans-italic` and `sans-bold`.
A font file must have all of ASCII and allow embedding. What it lacks is set in the font that comes along.

Running text is set at most {READABLE:g} points wide, also on a landscape page. On an upright A5, `columns` stand below each
other.

## A second language

An edition is a product with an id of its own, such as `minatBakatUmumEn`, that writes only what differs. This is its
`template.yaml`:

```yaml
edition_of: minatBakatUmum
language: en
title: "Interests and Aptitudes – {{{{ peserta.nama }}}}"
subject: "Results of a general test of interests and aptitudes"
header: "Interests and Aptitudes · {{{{ peserta.nama }}}}"
```

Blocks, scales and every file that its folder lacks come from the product that it names, from the folder where you keep that
one. So both print the same scores, with your reliabilities and norms. `title`, `subject` and `header` are its own, and what
else its `template.yaml` writes at the top level replaces the original's; of `colours`, `fonts` and `page` it may replace a
part. An edition takes the brand beside its own folder, or else the brand beside its original's.

Three rules make a template fit for two languages. Each word stands in `texts.yaml`: `{{text: "{{{{ teks.saran.judul }}}}"}}`.
So do the names of bands and norms: `label: "{{{{ teks.kategori.rendah }}}}"`. And a text is a whole sentence, because another
language orders its words differently. The edition's `texts.yaml` must have every text of the original; `templates check`
names the first that is missing. A list must have as many entries.

Both take the same data. When there is no stored report of the edition, the worker takes the original's with the same code.

## Scales

A scale says how exactly it measures, and the renderer says no more than that:

```yaml
scales:
  bakat:
    low: 40            # the range that charts show
    high: 160
    mean: 100
    sd: 15
    reliability: 0.85  # 0 up to, and not including, 1
    norm: {{label: "Siswa SMA", n: 1200, year: 2024, ages: "15–18 tahun"}}
    level: 90          # of the intervals: 68, 90 or 95 per cent
    bands:             # from low to high; the last one ends at `high`
      - {{upto: 84, label: Rendah}}
      - {{upto: 115, label: Rata-rata}}
      - {{upto: 160, label: Tinggi}}
```

| field | what it means |
|---|---|
| `low`, `high`, `bands` | the charts' range and its parts, six at most: each has `upto`, `label` and, for `tafsiran`, a `text` |
| `decimals` | of printed scores, 0 to 3; the printed score decides on the band |
| `mean`, `sd`, `reliability` | from the test's manual; without them nothing below is printed |
| `norm` | the group with `label`, `n`, `year` and `ages`; `example` is printed as "norma contoh"; `unknown` forbids all claims |
| `kind` | `norm`, or `raw` for scores without a norm group: no percentile, and bands need no label |
| `level` | 95 if left out |
| `min`, `max` | the ends of the test's own scores, when the charts show more |

The standard error is sd·√(1 − reliability). The interval is the score ± z times that (z 1.00, 1.645, 1.96). Two scores
differ when they are more than 1.96·sd·√(2 − r₁ − r₂) apart. `terkuat` takes as many as are that far above everybody
else, and none below the mean; `terlemah` is its mirror. A greater tie is told whole, and never more than half of the
list is told. When nothing is set apart, both are empty: write that text too. `templates check` refuses a comparison
without `skala`, a scale without reliability, and a category without its `rentang` in the same block or text. A worker
still draws such a template and logs `template.unfounded`. Filters without `skala` compare as they did before.

`schema.json` knows four keywords more than JSON Schema: `x-ascending: [["low", "score", "high"]]` for numbers and
ISO dates that must not fall, `x-sum: {{"all": ["right", "wrong"]}}`, `x-unique: "kode"` for the elements of a list, and
`x-date: true` for a text that may not name a day outside the calendar.

Latin, Greek, Cyrillic, Arabic, Devanagari, Javanese, Balinese and Sundanese come along. For Chinese, Japanese
and Korean names install Debian's `fonts-droid-fallback` (4 MB) on every host that renders; no setting is needed.
A character that no font has is shown as its number, `[U+738B]`. Then the worker logs `report.fonts_missing` with the
scripts, and `render` and `templates check` say so. `ops/reportq doctor` says which scripts there are.

## Limits

| what | at most | else |
|---|---|---|
| pages of a report | {MOST_PAGES:,} | `invalid_data` |
| a picture of a folder | {MOST_BYTES:,} bytes and {MOST_PIXELS:,} points | `template_invalid` |
| a picture in the data | {MOST_DATA_BYTES:,} bytes | `invalid_data`, with the path in the data |
| all pictures in the data of a report | {MOST_DATA_PIXELS:,} points | `invalid_data`, with the path in the data |
| a QR code | {QR_BYTES} bytes | `invalid_data` |
| columns of a table, bands of a scale | 8, 6 | `template_invalid` |
| scores that `terbedakan` compares | {MOST_COMPARED} | none is told |
| combining marks of a letter | 30 | the rest is left out |
| a request with inline data | `REPORTQ_MAX_BODY` | 413 |

The time for a report grows in a straight line with its data. Still give lists `maxItems` and texts `maxLength` in
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
    """The block's fields with types and defaults, from the classes that check them; then those of its parts."""
    kind = next(kind for kind in blocks.Block.__args__ if kind.__struct_config__.tag == tag)
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    lines = [f"Fields: {_told(info)}"]
    for field in info.fields:
        for inner in _inside(field.type):
            if not inner.tag:
                each = "each of " if isinstance(field.type, msgspec.inspect.ListType) else ""
                lines.append(f"Fields of {each}`{field.name}`: {_told(inner)}")
    return "\n\n".join(lines)


def _inside(kind: msgspec.inspect.Type) -> list[msgspec.inspect.StructType]:
    """The structs that a field holds."""
    if isinstance(kind, msgspec.inspect.ListType):
        return _inside(kind.item_type)
    kinds = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
    return [one for one in kinds if isinstance(one, msgspec.inspect.StructType)]


def _told(info: msgspec.inspect.StructType) -> str:
    shown = []
    for field in info.fields:
        kinds = field.type.types if isinstance(field.type, msgspec.inspect.UnionType) else (field.type,)
        name = next(type(one).__name__.removesuffix("Type").lower() for one in kinds)
        literal = next((one for one in kinds if isinstance(one, msgspec.inspect.LiteralType)), None)
        name = " or ".join(map(str, literal.values)) if literal else name.replace("struct", "fields below")
        default = "" if field.required else f" = {field.default!r}"
        if field.default_factory is not msgspec.NODEFAULT:
            default = " = []"
        shown.append(f"`{field.name}` {name}{default}")
    return "; ".join(shown) or "none"


def text() -> str:
    """The page."""
    parts = [INTRODUCTION]
    for example in examples():
        name = example["name"]
        source = yaml.safe_dump(example["blocks"], allow_unicode=True, sort_keys=False, width=100)
        parts.append(f"## {name}\n\n{example['about']}\n\n{_fields(name)}\n")
        parts.append(f"```yaml\n{source}```\n\n![{name}](pictures/{name}.png)\n")
    return "\n".join(parts)


def main(_argv: list[str]) -> int:
    """Write the page and its pictures."""
    for example in examples():
        target = HERE / "pictures" / f"{example['name']}.png"
        save(picture_of(example["name"]), target)
        print(f"{target.stat().st_size / 1024:6.0f} kB  {target.name}")
    PAGE.write_text(text(), "utf-8")
    print(PAGE)
    return 0
