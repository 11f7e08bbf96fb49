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
| `texts.yaml` | texts and interpretation rules, reached as `teks.…`; with emphasis, and values of the block that uses them |
| `schema.json` | the JSON Schema that a report's data must fit |
| `sample.json` | a realistic report; `templates check` draws it |

Put the folder beside the shipped ones or into a folder named by `REPORTQ_TEMPLATES_DIR`. It needs no code and no
restart. `ops/reportq templates check` says what is wrong and where. `ops/reportq render --product P -o out.pdf --watch`
draws again at every change.

Values stand in double braces: `{{ peserta.nama }}`. Fields marked *expression* hold one expression without
braces. What comes from the data never counts as markup. Beside Jinja's own filters there are these:

| filter | what it gives |
|---|---|
| `angka`, `angka(1)` | a number as the language writes it; the same with one decimal |
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

`language` of `template.yaml` is `id` or `en`, or one with a region such as `en-GB`. It governs numbers, months, hyphens,
page numbers and the words of charts. `time_zone`, such as `Asia/Makassar`, goes before the setting `REPORTQ_TIME_ZONE`.

## A second language

An edition is a product with an id of its own, such as `minatBakatUmumEn`, that writes only what differs. This is its
`template.yaml`:

```yaml
edition_of: minatBakatUmum
language: en
title: "Interests and Aptitudes – {{ peserta.nama }}"
subject: "Results of a general test of interests and aptitudes"
header: "Interests and Aptitudes · {{ peserta.nama }}"
```

Blocks, scales and every file that its folder lacks come from the product that it names, from the folder where you keep that
one. So both print the same scores, with your reliabilities and norms. `title`, `subject` and `header` are its own, and what
else its `template.yaml` writes at the top level replaces the original's.

Three rules make a template fit for two languages. Each word stands in `texts.yaml`: `{text: "{{ teks.saran.judul }}"}`.
So do the names of bands and norms: `label: "{{ teks.kategori.rendah }}"`. And a text is a whole sentence, because another
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
    norm: {label: "Siswa SMA", n: 1200, year: 2024, ages: "15–18 tahun"}
    level: 90          # of the intervals: 68, 90 or 95 per cent
    bands:             # from low to high; the last one ends at `high`
      - {upto: 84, label: Rendah}
      - {upto: 115, label: Rata-rata}
      - {upto: 160, label: Tinggi}
```

| field | what it means |
|---|---|
| `low`, `high`, `bands` | the range of the charts and its parts, at most six; a band may have a `text` for `tafsiran` |
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
ISO dates that must not fall, `x-sum: {"all": ["right", "wrong"]}`, `x-unique: "kode"` for the elements of a list, and
`x-date: true` for a text that may not name a day outside the calendar.

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
