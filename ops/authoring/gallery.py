"""Product folders made of the example blocks in gallery.yaml: of a single block, or of all of them."""

import base64
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

SOURCE = Path(__file__).parent / "gallery.yaml"
EMBLEM = SOURCE.with_name("emblem.png")
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
    pictures = {"foto": EMBLEM, "tanda_tangan": EMBLEM.with_name("scribble.png")}
    coded = {name: base64.b64encode(picture.read_bytes()).decode() for name, picture in pictures.items()}
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
    (home / "lambang.png").write_bytes(EMBLEM.read_bytes())
    if brand is not None:
        (folder / "brand.yaml").write_text(yaml.safe_dump(dict(brand)), "utf-8")
        (folder / "logo.png").write_bytes(EMBLEM.read_bytes())
    return product
