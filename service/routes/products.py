"""Products: the list, one's JSON Schema, and what is wrong with data before anything is queued.

The API reads templates and draws nothing: fonts and the renderer are the workers'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import falcon
import msgspec
import structlog

from schema.errors import Permanent, Refused
from schema.http import requests
from schema.http.product_responses import Checked, Fault, Product, ProductList
from service.parts import ApiParts
from service.routes.route import Route, answer

if TYPE_CHECKING:
    from actors.pdf.product.template import Template

log = structlog.get_logger()

NAMED, COUNTED = 50, 1000  # Faults of data that one answer names, and how many others it counts: most to be looked for.


class Products(Route):
    """GET /api/products, …/{product_id}/schema; POST …/{product_id}/validate."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Every product whose template can be read."""
        answer(resp, ProductList(list(self._readable())))

    def _readable(self) -> Iterator[Product]:
        from actors.pdf.product.templates import sample_of, title_of

        for name in self.parts.templates.products():
            try:
                template = self.parts.templates.template(name)
            except Permanent as error:
                log.warning("product.unreadable", product_id=name, detail=error.detail)
                continue
            layout = template.layout
            yield Product(
                id=name,
                title=title_of(template),
                language=layout.language,
                version=template.version,
                edition_of=layout.edition_of or None,
                sample=sample_of(template),
            )

    def on_get_schema(self, req: falcon.Request, resp: falcon.Response, product_id: str) -> None:
        """The JSON Schema that the data must fit."""
        resp.data = msgspec.json.encode(template_of(self.parts, product_id).schema)

    def on_post_validate(self, req: falcon.Request, resp: falcon.Response, product_id: str) -> None:
        """Every place where the data does not fit: the first fifty, and how many more."""
        data = self.asked(req, requests.Check).data
        named, more = first_of(template_of(self.parts, product_id).errors(data))
        answer(resp, Checked(not named, [Fault(*fault) for fault in named], more))


def template_of(parts: ApiParts, product_id: str) -> Template:
    """The product's template; raises Refused: product_not_found, Permanent: template_invalid."""
    try:
        return parts.templates.template(product_id)
    except Permanent as error:
        if error.code != "template_not_found":
            raise
        raise Refused(error.detail, code="product_not_found") from None


def require_fitting(parts: ApiParts, wanted: Mapping[str, requests.Submission]) -> None:
    """Refuse submissions (by where each stands in the body) whose inline data does not fit, with every fault.

    Raises Refused: invalid_data. A product that there is not is a fault too. What is not inline is not read.
    """
    named, more = first_of(fault for where, one in wanted.items() for fault in _faults(parts, where, one))
    if not named:
        return
    errors: dict[str, Any] = {}
    for path, message in named:
        errors[path] = f"{errors[path]}; {message}" if path in errors else message
    listed = "; ".join(f"{path}: {message}" for path, message in named)
    left_out = f"; and {more:,} more" if more else ""
    raise Refused(f"No job was made. {listed}{left_out}.", code="invalid_data", errors=errors)


def _faults(parts: ApiParts, where: str, one: requests.Submission) -> Iterator[tuple[str, str]]:
    try:
        template = parts.templates.template(one.product_id)
    except Permanent as error:
        yield f"{where}productId", error.detail
        return
    for path, message in template.errors(one.data) if one.data is not None else ():
        yield f"{where}data" if path == "(top)" else f"{where}data.{path}", message


def first_of(faults: Iterator[tuple[str, str]]) -> tuple[list[tuple[str, str]], int]:
    """The faults that are named, and how many follow, as far as they are counted."""
    named = list(islice(faults, NAMED))
    return named, sum(1 for _ in islice(faults, COUNTED))
