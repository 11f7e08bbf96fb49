"""The vocabulary of templates: every block an author may write, with its fields and their types.

Strings are running text with Jinja values (`{{ peserta.nama }}`). Only the fields marked *expression* hold one Jinja
expression without braces. A wrong type or an unknown field is refused when the template is read.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from actors.pdf.product.brand import Brand, Strict
from actors.pdf.product.measure import Scale
from schema.prepared import prepare

Level = Annotated[int, Meta(ge=1, le=3)]
Share = Annotated[float, Meta(gt=0, le=1)]
Spoken = Annotated[str, Meta(min_length=1)]  # what is said to those who cannot see it


class _Block(Strict, tag_field="block", frozen=True, kw_only=True):
    pass


class Picture(Strict, frozen=True, kw_only=True):
    """A PNG or JPEG: a `file` of the template's folder, or one in the report's `data` (*expression*: a text in base64)."""

    alternative: Spoken
    file: str = ""
    data: str = ""  # nothing is drawn where it gives none or an empty text

    def __post_init__(self) -> None:
        _one_of(self.file, self.data)


class Detail(Strict, frozen=True, kw_only=True):
    """A line of the cover: what, and its value; left out when the value comes out empty."""

    label: str
    value: str


class Cover(_Block, tag="cover", frozen=True, kw_only=True):
    """The first page."""

    title: str
    name: str
    subtitle: str = ""
    kicker: str = ""  # small line above the title
    details: list[Detail] = field(default_factory=list)
    note: str = ""
    picture: Picture | None = None  # beside the name


class Heading(_Block, tag="heading", frozen=True, kw_only=True):
    """A heading; levels 1 and 2 appear in bookmarks and contents."""

    text: str
    level: Level = 1
    new_page: bool = False


class Text(_Block, tag="text", frozen=True, kw_only=True):
    """Paragraphs parted by blank lines; `*italic*`, `**bold**`, lines starting with `- ` are a list."""

    text: str
    style: Literal["body", "lead", "small"] = "body"


class Column(Strict, frozen=True, kw_only=True):
    """A table's column. `width` is its share of the table; `meter` draws a number as a small scale.

    With `value` the column is computed: the number is printed as the language writes it, unless `cell` says how.
    """

    title: str
    cell: str | None = None
    value: str = ""  # An expression: a number of the row, or none.
    decimals: Annotated[int, Meta(ge=0, le=6)] | None = None  # For `value` and `total`; one at most if left out.
    total: Literal["sum", "mean"] | None = None  # The total of `value` over all rows that have one.
    test: str = ""  # An expression without the row; when it is false, the column is left out.
    width: Share | None = None
    align: Literal["left", "right", "center"] = "left"
    strong: bool = False
    meter: str = ""  # The name of a scale; the cell is then an expression whose number is drawn on it.
    low: str = ""  # Expressions for the ends of the meter's interval; the scale's own ends by default.
    high: str = ""

    def __post_init__(self) -> None:
        if self.cell is None and (self.meter or not self.value):
            raise ValueError("a column needs `cell`, or `value` for a number that is printed")
        if self.total and not self.value:
            raise ValueError("`total` needs a `value`")


class Table(_Block, tag="table", frozen=True, kw_only=True):
    """Rows from `rows` (*expression*), each called by the name in `each` within the cells."""

    rows: str
    columns: Annotated[list[Column], Meta(min_length=1, max_length=8)]
    each: str = "baris"
    title: str = ""
    caption: str = ""
    empty: str = ""  # what stands there without rows; the language's own sentence if left out
    totals: str = ""  # what the last row is called, in which columns have their `total`

    def __post_init__(self) -> None:
        if bool(self.totals) != any(column.total for column in self.columns):
            raise ValueError("`totals`, the name of the last row, and a column's `total` belong together")
        if self.totals and (self.columns[0].total or self.columns[0].test):
            raise ValueError("the first column takes the name in `totals`: it has no `total` and no `test`")


class _Chart(_Block, frozen=True, kw_only=True):
    items: str  # expression
    label: str
    value: str  # expression; none means not measured
    each: str = "butir"
    title: str = ""
    caption: str = ""
    scale: str
    low: str = ""  # expressions: the ends of the value's interval; the scale's own when none or left out
    high: str = ""
    reference: str = ""  # expression: a number that is drawn as a dashed line


class Bars(_Chart, tag="bars", frozen=True, kw_only=True):
    """Horizontal bars over the norm bands of a scale."""

    note: str = ""  # under each label, small


class Radar(_Chart, tag="radar", frozen=True, kw_only=True):
    """Values on spokes, the RIASEC hexagon with six of them."""


class Profile(_Chart, tag="profile", frozen=True, kw_only=True):
    """Values joined by a line between two poles: `label` on the left, `opposite` on the right.

    With `name` the poles are set alike, and the name of what lies between them stands over its row.
    """

    opposite: str = ""
    name: str = ""


class Gauge(_Block, tag="gauge", frozen=True, kw_only=True):
    """One value on a half circle of norm bands."""

    value: str  # expression
    scale: str
    title: str = ""
    caption: str = ""
    low: str = ""  # as in other charts
    high: str = ""
    reference: str = ""


class Image(_Block, tag="image", frozen=True, kw_only=True):
    """A picture as in `Picture`; `width` is its share of the measure."""

    alternative: str
    file: str = ""
    data: str = ""
    width: Share = 1.0
    caption: str = ""

    def __post_init__(self) -> None:
        _one_of(self.file, self.data)


class Qr(_Block, tag="qr", frozen=True, kw_only=True):
    """A QR code of `content`; left out when that comes out empty."""

    content: str
    alternative: Spoken
    width: Share = 0.25
    caption: str = ""


class Signature(_Block, tag="signature", frozen=True, kw_only=True):
    """Where and when, room for a signature or a picture of it, a rule, and whose it is."""

    name: str
    licence: str = ""
    place: str = ""
    date: str = ""
    picture: Picture | None = None
    align: Literal["left", "right"] = "right"


class Rule(_Block, tag="rule", frozen=True, kw_only=True):
    """A thin line over the measure."""


class Spacer(_Block, tag="spacer", frozen=True, kw_only=True):
    """White space, except at the head of a page."""

    lines: Annotated[int, Meta(ge=1, le=20)] = 1  # of running text


class Callout(_Block, tag="callout", frozen=True, kw_only=True):
    """A tinted paragraph that stands out."""

    text: str
    title: str = ""


class PageBreak(_Block, tag="page_break", frozen=True, kw_only=True):
    """What follows starts a page."""


class Contents(_Block, tag="contents", frozen=True, kw_only=True):
    """The table of contents; left out when there are fewer than `at_least` headings."""

    title: str = ""  # the language's own word if left out
    at_least: int = 8


class Columns(_Block, tag="columns", frozen=True, kw_only=True):
    """Two columns side by side; one below the other when they do not fit on a page."""

    left: list[Block]
    right: list[Block]
    # Of the left one; near a half if left out, as the texts need it.
    share: Annotated[float, Meta(ge=0.2, le=0.8)] = 0.0


class Each(_Block, tag="each", frozen=True, kw_only=True):
    """`blocks` once for every element of `items` (*expression*), called by the name in `each`."""

    items: str
    blocks: list[Block]
    each: str = "butir"


class When(_Block, tag="when", frozen=True, kw_only=True):
    """`blocks` if `test` (*expression*) holds, else `otherwise`."""

    test: str
    blocks: list[Block]
    otherwise: list[Block] = field(default_factory=list)


Block = (
    Cover | Heading | Text | Table | Bars | Radar | Profile | Gauge | Image | Qr | Signature | Rule | Spacer | Callout
    | PageBreak | Contents | Columns | Each | When
)  # fmt: skip


class Layout(Brand, frozen=True, kw_only=True):
    """A whole `template.yaml`, with what its brand says where the template says nothing.

    The names of scales, bands and norms may be `{{ teks.… }}`.
    """

    title: str
    subject: str
    blocks: Annotated[list[Block], Meta(min_length=1)]
    edition_of: str = ""  # a product: blocks, scales and all files that are not in this folder are its own
    scales: dict[str, Scale] = field(default_factory=dict)


def _one_of(file: str, data: str) -> None:
    if bool(file) == bool(data):
        raise ValueError("a picture has either a `file` or `data`")


prepare(__name__)
