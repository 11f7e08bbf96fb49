"""The products that there are: a folder each, found by name. It knows no font: the API checks data with it."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from actors.pdf.product.template import NAME, Template
from schema.errors import Permanent

TEMPLATES = Path(__file__).parents[1] / "templates"


class Templates:
    """The templates of `template_dirs`, and then those that ship here.

    Each time a template is read, `unfounded` gets the product and its unfounded claims about scores. Raises Permanent
    with code template_not_found or template_invalid.
    """

    def __init__(
        self,
        template_dirs: Sequence[Path] = (),
        unfounded: Callable[[str, Sequence[str]], None] = lambda product_id, claims: None,
    ) -> None:
        self._unfounded = unfounded
        self._folders = (*template_dirs, TEMPLATES)
        self._read: dict[Path, Template] = {}
        self._reading = threading.Lock()

    def products(self) -> Sequence[str]:
        """The names of all products that can be drawn, sorted."""
        found = {path.parent.name for folder in self._folders for path in folder.glob("*/template.yaml")}
        return sorted(filter(NAME.fullmatch, found))

    def version(self, product_id: str) -> str:
        """The version of the product's template."""
        return self.template(product_id).version

    def original(self, product_id: str) -> str:
        """The product whose data an edition takes; else the product itself."""
        return self.template(product_id).layout.edition_of or product_id

    def template(self, product_id: str) -> Template:
        """The product's template, read again when a file of it has changed."""
        home = self._home(product_id)
        if home is None:
            asked, known = product_id[:100], ", ".join(self.products())
            detail = f"There is no template for product {asked!r}. Known products: {known}."
            raise Permanent(detail, code="template_not_found", product_id=asked)
        with self._reading:
            kept = self._read.get(home)
            if kept is None or not kept.current(self._home):
                kept = self._read[home] = Template(home, self._home)
                if claims := kept.unfounded():
                    self._unfounded(product_id, [claim.detail for claim in claims])
        return kept

    def _home(self, product_id: str) -> Path | None:
        """The product's folder: the first there is."""
        homes = [folder / product_id for folder in self._folders] if NAME.fullmatch(product_id) else []
        return next((home for home in homes if (home / "template.yaml").is_file()), None)


def title_of(template: Template) -> str:
    """What the product's reports are called: the title without what each report puts into it."""
    plain = template.layout.title.partition("{")[0].strip(" –—-·:|,")
    return plain or template.product


def sample_of(template: Template) -> dict[str, Any] | None:
    """Data that fits, to try the product with; None when its folder has none."""
    try:
        sample = json.loads(template.file("sample.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return sample if isinstance(sample, dict) else None
