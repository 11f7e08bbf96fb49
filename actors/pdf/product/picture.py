"""A template's pictures as they are drawn: PNG or JPEG, upright, opaque, in 8 bits a colour, in sRGB or grey."""

import base64
import io
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

MOST_PIXELS = 12_000_000  # an A4 page at 350 dots an inch: what a worker has memory for
MOST_BYTES = 20_000_000
# Of all pictures that come in one report's data: the data of a request has a million bytes, a document in MongoDB more.
MOST_DATA_PIXELS = 6_000_000
MOST_DATA_BYTES = 2_000_000  # of one of them
PAPER = (255, 255, 255)


class PictureError(ValueError):
    """A file that cannot be drawn; the text says why."""


def picture(file: Path) -> tuple[bytes, float]:
    """The file's bytes as they are embedded, and height divided by width. Raises PictureError."""
    try:
        return _picture(file, file.stat().st_mtime_ns)
    except OSError as error:
        raise PictureError(f"{file.name} cannot be read: {error.strerror or error}") from error


@lru_cache(maxsize=4)
def _picture(file: Path, _changed: int) -> tuple[bytes, float]:
    if file.stat().st_size > MOST_BYTES:
        raise PictureError(f"{file.name} has more than {MOST_BYTES:,} bytes")
    return _drawable(file.read_bytes(), file.name, MOST_PIXELS)[:2]


def picture_in(text: object, most: int) -> tuple[bytes, float, int]:
    """The picture in a text of base64, with or without `data:image/png;base64,` before it, as `picture` gives it.

    The third value is the number of its points, `most` at most. Nothing is decoded before its size is known.
    Raises PictureError.
    """
    if not isinstance(text, str):
        raise PictureError(f"the picture is not a text in base64, but {type(text).__name__}")
    if len(text) > MOST_DATA_BYTES * 3 // 2:  # base64 makes 4 letters of 3 bytes, and may have line breaks
        raise PictureError(f"the picture has more than {MOST_DATA_BYTES:,} bytes")
    coded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        source = base64.b64decode("".join(coded.split()), validate=True)
    except ValueError as error:
        raise PictureError(f"the picture is not in base64: {error}") from error
    if len(source) > MOST_DATA_BYTES:
        raise PictureError(f"the picture has more than {MOST_DATA_BYTES:,} bytes")
    return _drawable(source, "the picture", most)


def _drawable(source: bytes, name: str, most: int) -> tuple[bytes, float, int]:
    try:
        with Image.open(io.BytesIO(source), formats=("PNG", "JPEG")) as opened:
            if opened.width * opened.height > most:
                size = f"{opened.width} × {opened.height}"
                raise PictureError(f"{name} has {size} points; at most {most:,} are drawn")
            opened.load()
            drawn, kind = _plain(opened), opened.format
    except UnidentifiedImageError as error:
        raise PictureError(f"{name} is no PNG or JPEG; save an SVG or another picture as PNG") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name} has too many points; at most {most:,} are drawn") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise error if isinstance(error, PictureError) else PictureError(f"{name} is broken: {error}") from error
    if drawn is not opened:
        out = io.BytesIO()
        drawn.save(out, "PNG" if kind == "PNG" else "JPEG", quality=92)
        source = out.getvalue()
    return source, drawn.height / drawn.width, drawn.height * drawn.width


def _plain(opened: Image.Image) -> Image.Image:
    """The picture in grey or sRGB without transparency, rotation or a profile; itself when it is so already."""
    drawn = ImageOps.exif_transpose(opened) if opened.getexif().get(0x0112, 1) != 1 else opened
    if drawn.mode.startswith(("I", "F")):  # Pillow would cut 16 bits off at 255
        drawn = drawn.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    profile = opened.info.get("icc_profile")
    if drawn.has_transparency_data:
        paper = Image.new("RGB", drawn.size, PAPER)
        layer = drawn.convert("RGBA")
        paper.paste(layer, mask=layer.getchannel("A"))
        drawn = paper
    if profile and drawn.mode in ("RGB", "CMYK"):
        try:
            made = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            drawn = ImageCms.profileToProfile(drawn, made, ImageCms.createProfile("sRGB"), outputMode="RGB") or drawn
        except (ImageCms.PyCMSError, OSError):
            pass  # no profile, or that of another kind of picture: the colours are taken as they are
    if drawn.mode not in ("L", "RGB"):
        drawn = drawn.convert("RGB")
    if profile:
        drawn = drawn.copy() if drawn is opened else drawn
        drawn.info.pop("icc_profile", None)
    return drawn
