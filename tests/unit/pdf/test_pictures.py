"""A template's picture looks as it does elsewhere, and one that cannot be drawn is the template's fault, with its line."""

from __future__ import annotations

import base64
import io
import random
import subprocess
import textwrap
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms
from pypdf import PdfReader

from actors.pdf.product.picture import MOST_DATA_BYTES, MOST_DATA_PIXELS
from actors.pdf.renderer import PdfRenderer
from schema.errors import Permanent
from tests.unit.pdf.conftest import request
from tests.unit.pdf.test_templates import GOOD, product

BLOCK = '  - {block: image, file: logo.png, alternative: "Lambang"}\n'


def drawn(folder: Path, source: bytes) -> Image.Image:
    """The page that shows the picture, in 8-bit colour, one dot a point."""
    renderer = product(folder, GOOD + BLOCK)
    (folder / "uji" / "logo.png").write_bytes(source)
    pdf = renderer.render(request("uji", {"nama": "Ayu"}))
    page = subprocess.run(["pdftoppm", "-r", "72", "-png"], input=pdf, capture_output=True, check=True, timeout=60)
    return Image.open(io.BytesIO(page.stdout)).convert("RGB")


def colours(page: Image.Image) -> set[tuple[int, int, int]]:
    """The colours of every 8th point below the text, each step of 16 taken as one."""
    found = page.crop((100, 200, 490, 700)).resize((48, 60), Image.Resampling.NEAREST).get_flattened_data()
    return {(red // 16, green // 16, blue // 16) for red, green, blue in found}


def saved(picture: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


WHITE, BLACK, RED, GREY = (15, 15, 15), (0, 0, 0), (15, 0, 0), (8, 8, 8)


def _palette() -> bytes:
    picture = Image.new("P", (60, 60), 0)
    picture.putpalette([255, 0, 0, 0, 0, 0])
    picture.paste(1, (0, 0, 30, 60))
    return saved(picture, transparency=1)


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        (saved(Image.new("RGBA", (60, 60), (0, 0, 0, 0))), {WHITE}),
        (saved(Image.new("RGBA", (60, 60), (0, 0, 0, 127))), {WHITE, GREY}),
        (saved(Image.new("LA", (60, 60), (0, 0))), {WHITE}),
        (_palette(), {WHITE, RED}),
        (saved(Image.new("RGB", (60, 60), "red"), transparency=(255, 0, 0)), {WHITE}),
        (saved(Image.new("I;16", (60, 60), 33_000)), {WHITE, GREY}),
        (saved(Image.new("1", (60, 60), 0)), {WHITE, BLACK}),
        (saved(Image.new("CMYK", (60, 60), (0, 255, 255, 0)), "JPEG"), {WHITE, RED}),
    ],
    ids=["clear", "half clear", "clear grey", "palette", "one clear colour", "16 bits", "1 bit", "CMYK"],
)
def test_a_picture_stands_on_the_paper(tmp_path: Path, source: bytes, seen: set[tuple[int, int, int]]) -> None:
    assert colours(drawn(tmp_path, source)) == seen


def test_a_photograph_stands_upright(tmp_path: Path) -> None:
    """Given a camera held sideways (EXIF 6), then what it noted as the left side is the top."""
    photo = Image.new("RGB", (120, 60), "white")
    photo.paste("red", (0, 0, 60, 60))
    exif = Image.Exif()
    exif[0x0112] = 6
    page = drawn(tmp_path, saved(photo, "JPEG", exif=exif))
    reds = [y for y in range(page.height) if page.getpixel((297, y))[0] > 200 > page.getpixel((297, y))[1]]  # type: ignore[index,operator]
    whites = [y for y in range(reds[0], 700) if page.getpixel((297, y)) == (255, 255, 255)]
    assert len(reds) > 200
    assert min(whites) > max(reds)


def test_a_picture_in_other_colours_is_turned_into_srgb(tmp_path: Path) -> None:
    """Given a profile in which red and blue are exchanged, then a picture of pure red is blue."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exchanged = srgb.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")
    red = Image.new("RGB", (60, 60), "red")
    assert colours(drawn(tmp_path, saved(red, icc_profile=exchanged))) == {WHITE, (0, 0, 15)}
    assert colours(drawn(tmp_path, saved(red, icc_profile=b"none"))) == {WHITE, RED}


GOOD_PNG = saved(Image.effect_noise((200, 200), 90))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "logo.png is no PNG or JPEG; save an SVG or another picture as PNG"),
        (b"", "logo.png is no PNG or JPEG"),
        (saved(Image.new("RGB", (9, 9)), "GIF"), "logo.png is no PNG or JPEG"),
        (GOOD_PNG[: len(GOOD_PNG) // 2], "logo.png is broken: "),
        (saved(Image.effect_noise((200, 200), 90), "JPEG")[:4000], "logo.png is broken: "),
        (saved(Image.new("1", (5_000, 5_000))), "logo.png has 5000 × 5000 points; at most 12,000,000 are drawn"),
        (saved(Image.new("1", (14_000, 14_000))), "logo.png has "),
        (GOOD_PNG + b"\0" * 20_000_000, "logo.png has more than 20,000,000 bytes"),
    ],
    ids=["svg", "empty", "gif", "half a png", "half a jpeg", "large", "bomb", "bytes"],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_before_anything_is(tmp_path: Path, source: bytes, said: str) -> None:
    renderer = product(tmp_path, GOOD + BLOCK)
    (tmp_path / "uji" / "logo.png").write_bytes(source)
    with pytest.raises(Permanent) as caught:
        renderer.template("uji")
    assert caught.value.code == "template_invalid"
    assert caught.value.detail.startswith("uji/template.yaml, line 14: blocks[2].file: " + said)


def test_a_picture_that_breaks_later_is_refused_as_well(tmp_path: Path) -> None:
    renderer: PdfRenderer = product(tmp_path, GOOD + BLOCK)
    file = tmp_path / "uji" / "logo.png"
    file.write_bytes(GOOD_PNG)
    assert renderer.render(request("uji", {"nama": "Ayu"}))
    file.write_bytes(GOOD_PNG[:900])
    with pytest.raises(Permanent, match=r"line 14: blocks\[2\].file: logo.png is broken"):
        renderer.render(request("uji", {"nama": "Ayu"}))


# -- pictures in the data -----------------------------------------------------------------------------------

DATA = """\
  - block: each
    items: anak
    each: a
    blocks:
      - {block: image, data: a.foto, alternative: "Foto {{ a.nama }}", width: 0.2}
"""


def png(size: tuple[int, int], mode: str = "RGB") -> bytes:
    return saved(Image.new(mode, size))


def coded(source: bytes) -> str:
    return base64.b64encode(source).decode()


def children(*pictures: Any) -> dict[str, Any]:
    return {"nama": "Ayu", "anak": [{"nama": f"{place}", "foto": one} for place, one in enumerate(pictures)]}


def test_a_picture_of_the_data_is_drawn_where_there_is_one(tmp_path: Path) -> None:
    photo = coded(saved(Image.effect_noise((90, 60), 80), "JPEG"))
    report = children(photo, None, "", f"data:image/jpeg;base64,{photo}", "\r\n".join(textwrap.wrap(photo, 76)))
    (page,) = PdfReader(io.BytesIO(product(tmp_path, GOOD + DATA).render(request("uji", report)))).pages
    content = page.get_contents()
    assert content is not None
    assert content.get_data().count(b" Do Q") == 3
    assert len(page.images) == 1, "the same picture is embedded once"
    assert page.images[0].image.size == (90, 60)


BOMB = saved(Image.new("1", (30_000, 30_000)))
TEXT_BOMB = GOOD_PNG[:33] + b"".join(
    [(size := len(chunk)).to_bytes(4, "big"), b"zTXt", chunk, zlib.crc32(b"zTXt" + chunk).to_bytes(4, "big")]
    if (chunk := b"a\0\0" + zlib.compress(bytes(80_000_000)))
    else []
) + GOOD_PNG[33:]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (12, "the picture is not a text in base64, but int"),
        ({"a": 1}, "the picture is not a text in base64, but dict"),
        ("bukan gambar!", "the picture is not in base64"),
        ("YQ=", "the picture is not in base64"),
        ("data:image/png;base64", "the picture is no PNG or JPEG"),
        (coded(b"<svg/>"), "the picture is no PNG or JPEG"),
        (coded(GOOD_PNG[:900]), "the picture is broken"),
        (coded(BOMB), "the picture has "),
        (coded(png((3_000, 2_001))), "the picture has 3000 × 2001 points; at most 5,960,000 are drawn"),
        (coded(GOOD_PNG + bytes(MOST_DATA_BYTES)), "the picture has more than 2,000,000 bytes"),
        ("A" * 9_000_000, "the picture has more than 2,000,000 bytes"),
        (coded(TEXT_BOMB), "the picture "),
    ],
    ids=["number", "object", "words", "cut", "header", "svg", "half", "bomb", "large", "bytes", "long", "text bomb"],
)
def test_a_picture_that_cannot_be_drawn_is_wrong_data_with_its_place(tmp_path: Path, given: Any, said: str) -> None:
    renderer = product(tmp_path, GOOD + DATA)
    with pytest.raises(Permanent) as caught:
        renderer.render(request("uji", children(coded(GOOD_PNG), given)))
    where = "anak[1].foto" if isinstance(given, str) else "a.foto"
    assert caught.value.code == "invalid_data"
    assert caught.value.detail.startswith(f"The report's data does not fit uji: {where}: {said}")
    assert len(caught.value.detail) < 200, "what it holds is not quoted"


def test_all_pictures_of_a_report_have_a_limit_together(tmp_path: Path) -> None:
    renderer, chance = product(tmp_path, GOOD + DATA), random.Random(5)
    many = [coded(saved(Image.new("L", (1_000, 1_000), chance.randrange(256)))) + "\n" * n for n in range(7)]
    assert MOST_DATA_PIXELS == 6 * 1_000 * 1_000
    assert renderer.render(request("uji", children(*many[:6])))
    with pytest.raises(Permanent, match=r"anak\[6\].foto: the picture has 1000 × 1000 points"):
        renderer.render(request("uji", children(*many)))


def test_pictures_in_columns_count_once_however_often_the_widths_are_tried(tmp_path: Path) -> None:
    tall = "{block: text, text: '" + "kata " * 200 + "'}"
    photo = "{block: image, data: foto, alternative: Foto}"
    blocks = f"  - {{block: columns, left: [{photo}], right: [{tall}]}}\n"
    report = {"nama": "Ayu", "foto": coded(png((3_000, 2_000), "1"))}
    assert product(tmp_path, GOOD + blocks).render(request("uji", report))


def test_a_picture_stands_on_the_cover_beside_the_name(tmp_path: Path) -> None:
    cover = "  - {block: cover, title: A, name: '{{ nama }}', picture: {data: foto, alternative: 'Foto {{ nama }}'}}\n"
    report = {"nama": "Ayu", "foto": coded(saved(Image.effect_noise((60, 80), 80)))}
    pdf = PdfReader(io.BytesIO(product(tmp_path, GOOD + cover).render(request("uji", report))))
    assert [len(page.images) for page in pdf.pages] == [0, 1]


@pytest.mark.parametrize("source", ["", "file: logo.png, data: foto, "])
def test_a_picture_has_one_source(tmp_path: Path, source: str) -> None:
    renderer = product(tmp_path, GOOD + f"  - {{block: image, {source}alternative: x}}\n")
    with pytest.raises(Permanent, match=r"line 14: blocks\[2\]: a picture has either a `file` or `data`"):
        renderer.template("uji")
