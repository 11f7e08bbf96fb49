"""PDF pages as pictures, by poppler's pdftoppm."""

import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from ops.servers.packages import need


def pages(pdf: bytes, dpi: int, *, grey: bool = False) -> list[Image.Image]:
    """Every page as a picture."""
    need("poppler-utils")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "report.pdf").write_bytes(pdf)
        command = ["pdftoppm", "-r", str(dpi), "-png", *(["-gray"] if grey else []), "report.pdf", "page"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
        found = []
        for path in sorted(folder.glob("page*.png")):
            with Image.open(path) as picture:
                picture.load()
                found.append(picture.copy())
        return found


def save(picture: Image.Image, path: Path, colours: int = 64) -> None:
    """Write a small PNG: few colours are enough for type and flat charts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    reduced = picture if picture.mode == "L" else picture.convert("RGB").quantize(colours)
    reduced.save(path, optimize=True)
