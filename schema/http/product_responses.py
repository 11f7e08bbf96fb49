"""What the API answers about products, as structs."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from schema.http.responses import Count
from schema.prepared import prepare


class Product(Struct):
    """A kind of report that can be asked for."""

    id: Annotated[str, Meta(description="The `productId` of a request")]
    title: str
    language: Annotated[str, Meta(description="BCP 47")]
    version: Annotated[str, Meta(description="Changes whenever a file of its template does")]
    edition_of: Annotated[str | None, Meta(description="The product that takes the same data, for other readers")]
    sample: Annotated[dict[str, Any] | None, Meta(description="Data that fits: the `data` of a request to try it with")]


class ProductList(Struct):
    """Every product, by its id. One whose template cannot be read is not here."""

    products: list[Product]


class Fault(Struct):
    """One place of the data that does not fit."""

    path: Annotated[str, Meta(examples=["peserta.usia", "minat[2].skor", "(top)"])]
    message: str


class Checked(Struct):
    """Whether data fits a product's schema."""

    valid: bool
    errors: Annotated[list[Fault], Meta(description="The first fifty")]
    more: Annotated[Count, Meta(description="How many others there are; at most 1,000 are counted")]


prepare(__name__)
