"""Commands for template authors: `render` draws one report, `templates check|list` looks after products."""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from actors.pdf.product.brand import files_of
from actors.pdf.product.wording import TIME_ZONE
from actors.pdf.renderer import TEMPLATES, PdfRenderer
from schema.errors import Permanent
from schema.ports import RenderRequest

app = typer.Typer(no_args_is_help=True, help="Check and list the report templates.")

Folders = Annotated[
    list[Path] | None,
    typer.Option("--templates-dir", "-t", help="More folders of products.", envvar="REPORTQ_TEMPLATES_DIR"),
]
WATCH_INTERVAL = 0.5  # seconds between looks at the files


def _folders(given: list[Path] | None) -> list[Path]:
    return [folder for folder in given or [] if str(folder) not in ("", ".")]


def _tell_missing(_document_id: str, scripts: Sequence[str]) -> None:
    typer.echo(f"no font for {', '.join(scripts)}: such characters are shown as [U+…]", err=True)


def _tell_cut_short(product: str, pages: Sequence[int]) -> None:
    typer.echo(f"{product}: warning: a page_break leaves page {', '.join(map(str, pages))} nearly empty", err=True)


def _complain(error: Permanent) -> None:
    typer.echo(f"{error.code}: {error.detail}", err=True)


def read_data(path: Path) -> dict[str, Any]:
    """A report's data from a JSON file; raises Permanent(invalid_data) with the line of a mistake."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise Permanent(f"{path}: {error.strerror}", code="invalid_data") from error
    except ValueError as error:
        raise Permanent(f"{path}: not JSON: {error}", code="invalid_data") from error
    if not isinstance(found, dict):
        raise Permanent(f"{path}: expected an object, not {type(found).__name__}", code="invalid_data")
    return found


def draw(renderer: PdfRenderer, product: str, data: Path | None, document_id: str) -> bytes:
    """The PDF of a product filled with a file, or with its own sample."""
    path = data or renderer.template(product).file("sample.json")
    return renderer.render(RenderRequest(product, read_data(path), document_id, datetime.now(UTC)))


def render(
    product: Annotated[str, typer.Option("--product", "-P", help="The product, such as minatBakatUmum.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the PDF goes.")],
    data: Annotated[
        Path | None, typer.Option("--data", "-F", help="The report's data as JSON; the product's sample if left out.")
    ] = None,
    templates_dir: Folders = None,
    time_zone: Annotated[str, typer.Option(help="Whose days are printed.", envvar="REPORTQ_TIME_ZONE")] = TIME_ZONE,
    watch: Annotated[bool, typer.Option(help="Draw again whenever the template or the data change.")] = False,
) -> None:
    """Draw one report into a file, without queue and servers."""
    try:
        renderer = PdfRenderer(_folders(templates_dir), _tell_missing, time_zone=time_zone)
    except (ValueError, OSError, KeyError) as error:
        raise typer.BadParameter(f"there is no time zone {time_zone!r}; one is {TIME_ZONE}") from error
    try:
        _render_once(renderer, product, data, output)
    except Permanent as error:
        _complain(error)
        if not watch:
            raise typer.Exit(1) from error
    if watch:
        _watch(renderer, product, data, output, _folders(templates_dir))


def _render_once(renderer: PdfRenderer, product: str, data: Path | None, output: Path) -> None:
    started = time.perf_counter()
    pdf = draw(renderer, product, data, "pdf_preview")
    output.write_bytes(pdf)
    typer.echo(f"{output}: {len(pdf) / 1024:.0f} kB in {1000 * (time.perf_counter() - started):.0f} ms")


def _watch(renderer: PdfRenderer, product: str, data: Path | None, output: Path, folders: list[Path]) -> None:
    names = {product}
    with suppress(Permanent):
        names.add(renderer.original(product))
    homes = [folder / name for folder in (*folders, TEMPLATES) for name in names]

    def stamp() -> tuple[float, ...]:
        files = [file for home in homes if home.is_dir() for file in files_of(home)]
        return tuple(file.stat().st_mtime for file in [*files, *([data] if data and data.exists() else [])])

    seen = stamp()
    while True:
        time.sleep(WATCH_INTERVAL)
        if (now := stamp()) == seen:
            continue
        seen = now
        try:
            _render_once(renderer, product, data, output)
        except Permanent as error:
            _complain(error)


@app.command("list")
def list_products(templates_dir: Folders = None) -> None:
    """Name every product, where it lives and how many blocks it has."""
    renderer = PdfRenderer(_folders(templates_dir), _tell_missing)
    for product in renderer.products():
        try:
            template = renderer.template(product)
        except Permanent as error:
            typer.echo(f"{product:24} wrong: {error.detail}")
            continue
        typer.echo(f"{product:24} {len(template.layout.blocks):3} blocks  {template.folder}")


@app.command("check")
def check(
    products: Annotated[list[str] | None, typer.Argument(help="Products to check; all if none is named.")] = None,
    templates_dir: Folders = None,
) -> None:
    """Read every template and draw its sample; the first line of each answer says ok, or where it is wrong. An
    unfounded claim about scores is an error here, although a worker draws it. A page that a page_break leaves nearly
    empty is named in a warning.
    """
    renderer = PdfRenderer(_folders(templates_dir), _tell_missing, cut_short=_tell_cut_short)
    wrong = 0
    for product in products or renderer.products():
        try:
            pdf = draw(renderer, product, None, product)
            for claim in (claims := renderer.template(product).unfounded()):
                typer.echo(f"{product}: {claim.code}: {claim.detail}")
            if claims:
                wrong += 1
                continue
        except Permanent as error:
            wrong += 1
            typer.echo(f"{product}: {error.code}: {error.detail}")
            continue
        typer.echo(f"{product}: ok, sample drawn in {len(pdf) / 1024:.0f} kB")
    if wrong:
        raise typer.Exit(1)
