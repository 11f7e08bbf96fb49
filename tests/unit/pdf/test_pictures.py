"""A template's picture looks as it does elsewhere, and one that cannot be drawn is the template's fault, with its line."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageCms

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
