"""Product folders made of the example blocks in gallery.yaml: of a single block, or of all of them."""

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from PIL import Image, ImageDraw

SOURCE = Path(__file__).parent / "gallery.yaml"
SCHEMA = {"type": "object", "required": ["nama", "sumbu", "baris"]}


@lru_cache(maxsize=1)
def gallery() -> Mapping[str, Any]:
    """The examples, their scales and their sample data."""
    loaded: Mapping[str, Any] = yaml.safe_load(SOURCE.read_text("utf-8"))
    return loaded


def examples() -> Sequence[Mapping[str, Any]]:
    """The name, the description and the blocks of each example."""
    found: Sequence[Mapping[str, Any]] = gallery()["examples"]
    return found


def sample() -> dict[str, Any]:
    """Data that every example can be filled with."""
    pictures = {"foto": _emblem(), "tanda_tangan": _scribble()}
    coded = {name: base64.b64encode(picture).decode() for name, picture in pictures.items()}
    return {**gallery()["sample"], **coded}


def make_product(folder: Path, names: Sequence[str] = (), brand: Mapping[str, Any] | None = None) -> str:
    """Write a product with the named examples (all when none is named) into `folder`; returns its name.

    A `brand` is written beside it, with a picture `logo.png`.
    """
    source = gallery()
    chosen = [example for example in examples() if not names or example["name"] in names]
    layout = {key: source[key] for key in ("title", "subject", "header", "scales")}
    layout["blocks"] = [block for example in chosen for block in example["blocks"]]
    product = "galeri" if len(chosen) != 1 else f"galeri-{chosen[0]['name']}"
    home = folder / product
    home.mkdir(parents=True, exist_ok=True)
    (home / "template.yaml").write_text(yaml.safe_dump(layout, allow_unicode=True, sort_keys=False), "utf-8")
    (home / "schema.json").write_text(json.dumps(SCHEMA), "utf-8")
    (home / "sample.json").write_text(json.dumps(sample(), ensure_ascii=False), "utf-8")
    (home / "lambang.png").write_bytes(_emblem())
    if brand is not None:
        (folder / "brand.yaml").write_text(yaml.safe_dump(dict(brand)), "utf-8")
        (folder / "logo.png").write_bytes(_emblem())
    return product


def _emblem() -> bytes:
    picture = Image.new("RGB", (240, 120), (243, 241, 236))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((70, 10, 170, 110), outline=(29, 63, 85), width=6)
    pen.line((120, 30, 120, 90), fill=(164, 83, 42), width=6)
    return _saved(picture)


def _scribble() -> bytes:
    picture = Image.new("LA", (300, 120), (0, 0))
    steps = [step / 40 for step in range(400)]
    points = [
        (20 + 26 * step + 18 * math.sin(5 * step), 60 + 40 * math.sin(3 * step) * (1 - step / 12)) for step in steps
    ]
    ImageDraw.Draw(picture).line(points, fill=(40, 255), width=3)
    return _saved(picture)


def _saved(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
