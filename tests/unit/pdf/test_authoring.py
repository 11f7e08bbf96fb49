"""The commands and the page that template authors use."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from actors.pdf.drawing.marks import QR_BYTES
from actors.pdf.filling import MOST_PAGES
from actors.pdf.product import blocks, brand, measure
from actors.pdf.product.picture import MOST_BYTES, MOST_DATA_BYTES, MOST_DATA_PIXELS, MOST_PIXELS
from actors.pdf.product.values import MOST_BITS
from ops.authoring.gallery import examples
from ops.authoring.pages import HERE, PAGE, text
from ops.bench.__main__ import names, run
from ops.commands.templates import app, render

CLI = CliRunner()
single = typer.Typer()
single.command("render")(render)


def test_render_draws_a_file(tmp_path: Path) -> None:
    out = tmp_path / "report.pdf"
    done = CLI.invoke(single, ["--product", "profilKognitif", "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert out.read_bytes().startswith(b"%PDF")


def test_render_says_what_is_wrong_with_the_data(tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    data.write_text(json.dumps({"peserta": {}}), "utf-8")
    done = CLI.invoke(single, ["-P", "profilKognitif", "-F", str(data), "-o", str(tmp_path / "x.pdf")])
    assert done.exit_code == 1
    assert "invalid_data" in done.output
    data.write_text("{", "utf-8")
    done = CLI.invoke(single, ["-P", "profilKognitif", "-F", str(data), "-o", str(tmp_path / "x.pdf")])
    assert "not JSON" in done.output


def test_check_passes_what_ships_and_names_what_is_wrong(tmp_path: Path) -> None:
    assert CLI.invoke(app, ["check"]).exit_code == 0
    (tmp_path / "rusak").mkdir()
    (tmp_path / "rusak" / "template.yaml").write_text("title: 1", "utf-8")
    done = CLI.invoke(app, ["check", "-t", str(tmp_path)])
    assert done.exit_code == 1
    assert "rusak: template_invalid: rusak/template.yaml, line 1" in done.output
    assert "minatBakatUmum: ok" in done.output


def test_check_names_the_page_that_a_page_break_leaves_nearly_empty(tmp_path: Path) -> None:
    home = tmp_path / "uji"
    home.mkdir()
    lines = "blocks: [{block: text, text: satu}, {block: page_break}, {block: text, text: dua}]"
    (home / "template.yaml").write_text(f"title: A\nsubject: B\n{lines}", "utf-8")
    (home / "schema.json").write_text("{}", "utf-8")
    (home / "sample.json").write_text("{}", "utf-8")
    done = CLI.invoke(app, ["check", "uji", "-t", str(tmp_path)])
    assert done.exit_code == 0
    assert "uji: warning: a page_break leaves page 1 nearly empty" in done.stderr
    assert "warning" not in CLI.invoke(app, ["check"]).stderr


def test_list_names_every_product() -> None:
    done = CLI.invoke(app, ["list"])
    assert "profilKepribadian" in done.output


def test_every_block_is_on_the_page_with_its_picture() -> None:
    shown = {example["name"] for example in examples()}
    assert shown == {kind.__struct_config__.tag for kind in blocks.Block.__args__}
    page = PAGE.read_text("utf-8")
    for name in shown:
        assert f"## {name}\n" in page
        assert (HERE / "pictures" / f"{name}.png").stat().st_size > 200


def test_the_page_documents_every_field_and_every_limit() -> None:
    page = PAGE.read_text("utf-8")
    for kind in (blocks.Layout, measure.Scale, measure.Band, measure.Norm, brand.Colours, brand.Page, brand.Logo):
        for field in kind.__struct_fields__:
            assert f"`{field}`" in page, f"{kind.__name__}.{field}"
    for kind in (*blocks.Block.__args__, blocks.Column, blocks.Detail, blocks.Picture):
        for field in kind.__struct_fields__:
            assert f"`{field}` " in page, f"{kind.__name__}.{field}"
    for limit in (MOST_PAGES, MOST_PIXELS, MOST_BYTES, MOST_DATA_PIXELS, MOST_DATA_BYTES, QR_BYTES, MOST_BITS):
        assert f"{limit:,}" in page


def test_the_page_is_made_of_what_is_there() -> None:
    """Given a block or a limit that has changed, then `python -m ops.authoring pages` was run."""
    assert PAGE.read_text("utf-8") == text()


def test_an_unknown_bench_is_refused() -> None:
    assert {"render", "render_memory"} <= set(names())
    assert run(["tidak-ada"]) == 2
