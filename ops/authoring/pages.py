"""The page for template authors: every block with its source and a picture of it, which the renderer draws."""

import string
import tempfile
from pathlib import Path

import msgspec
import yaml
from PIL import Image, ImageChops

from actors.pdf.drawing.marks import QR_BYTES
from actors.pdf.filling import MOST_PAGES
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
# What introduction.md says of limits, as the renderer keeps them.
LIMITS = {
    "power_bits": MOST_BITS, "repeated": MOST_REPEATED, "readable": READABLE, "pages": MOST_PAGES, "qr_bytes": QR_BYTES,
    "picture_bytes": MOST_BYTES, "picture_points": MOST_PIXELS, "data_picture_bytes": MOST_DATA_BYTES,
    "data_picture_points": MOST_DATA_PIXELS, "compared": MOST_COMPARED,
}  # fmt: skip


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
    introduction = string.Template((HERE / "introduction.md").read_text("utf-8"))
    parts = [introduction.substitute({name: f"{limit:,.0f}" for name, limit in LIMITS.items()})]
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
