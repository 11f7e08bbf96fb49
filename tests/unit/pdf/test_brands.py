"""One brand.yaml for a folder of products: its fields hold, a template's replace them, and an error names its line."""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from fontTools.ttLib import TTFont
from PIL import Image
from pypdf import PdfReader
from typer.testing import CliRunner

from actors.pdf import renderer as renderers
from actors.pdf.fonts.font_file import FONTS
from actors.pdf.page.flow import Item, Page, paginated
from actors.pdf.renderer import TEMPLATES, PdfRenderer
from actors.pdf.style import A4, SHEETS, sheet
from ops.authoring.gallery import make_product
from ops.authoring.gallery import sample as gallery_sample
from ops.authoring.raster import pages
from ops.commands.templates import app
from schema.errors import Permanent
from tests.unit.pdf.conftest import PRODUCTS, WatchedCanvas, copied, misplaced, request, sample
from tests.unit.pdf.test_pictures import GOOD_PNG
from tests.unit.pdf.test_properties import any_report
from tests.unit.pdf.test_templates import GOOD, error_of, product

BRAND: dict[str, Any] = {
    "logo": {"file": "logo.png", "alternative": "Biro Psikologi Cakrawala"},
    "colours": {"primary": "#14532D", "accent": "#B45309", "ground": "#F2F5EE"},
    "header": "Biro Psikologi Cakrawala dan Rekan, yang namanya panjang",
    "footer": "Jalan Melati 7, Yogyakarta · 0274 000 000 · " * 6,
}


def branded(folder: Path, template: str = GOOD, **brand: Any) -> PdfRenderer:
    (folder / "brand.yaml").write_text(yaml.safe_dump(brand), "utf-8")
    (folder / "logo.png").write_bytes(GOOD_PNG)
    return product(folder, template)


def drawn(renderer: PdfRenderer, name: str = "uji", report: dict[str, Any] | None = None) -> PdfReader:
    return PdfReader(io.BytesIO(renderer.render(request(name, report or {"nama": "Ayu"}))))


def test_a_brand_holds_for_each_product_beside_it_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "satu").mkdir()
    (tmp_path / "dua").mkdir()
    plain = product(tmp_path / "satu").render(request("uji", {"nama": "Ayu"}))
    page = {"size": "A5", "orientation": "landscape"}
    other = branded(tmp_path / "dua", page=page, footer="Telepon 0274", language="en", author="Cakrawala")
    shutil.copytree(tmp_path / "dua" / "uji", tmp_path / "dua" / "lain")
    for name in ("uji", "lain"):
        pdf = drawn(other, name)
        assert [round(float(end)) for end in pdf.pages[0].mediabox] == [0, 0, 595, 420]
        assert pdf.metadata is not None
        assert pdf.metadata.author == "Cakrawala"
        said = pdf.pages[0].extract_text()
        assert "Telepon 0274" in said
        assert "Page 1 of 1" in said
    assert product(tmp_path / "satu").render(request("uji", {"nama": "Ayu"})) == plain


def test_what_a_template_says_goes_before_its_brand_part_by_part(tmp_path: Path) -> None:
    own = "header: Milik sendiri\npage: {orientation: landscape}\ncolours: {accent: '#7C2D12'}\n"
    renderer = branded(tmp_path, GOOD + own, **BRAND, page={"size": "A5"})
    layout = renderer.template("uji").layout
    assert (layout.header, layout.footer) == ("Milik sendiri", BRAND["footer"])
    assert (layout.page.size, layout.page.orientation) == ("A5", "landscape")
    assert (layout.colours.primary, layout.colours.accent) == ("#14532D", "#7C2D12")


def test_a_logo_of_a_template_lies_in_the_templates_folder(tmp_path: Path) -> None:
    renderer = branded(tmp_path, GOOD + "logo: {file: lambang.png, alternative: Lambang}\n", **BRAND)
    assert error_of(renderer).detail.startswith("uji/template.yaml, line 14: logo.file: there is no file 'lambang.png'")
    (tmp_path / "uji" / "lambang.png").write_bytes(GOOD_PNG)
    assert len(drawn(renderer).pages[0].images) == 1


def test_a_change_of_the_brand_is_a_change_of_the_template(tmp_path: Path) -> None:
    renderer = product(tmp_path)
    without = renderer.version("uji")
    branded(tmp_path, **BRAND)
    first = renderer.version("uji")
    (tmp_path / "logo.png").write_bytes(GOOD_PNG + b" ")
    assert len({without, first, renderer.version("uji")}) == 3


@pytest.mark.parametrize(
    ("brand", "place", "said"),
    [
        ("colours: {primary: '#777777'}", "line 1: colours.primary", "contrast of 4.5 with #FFFFFF; 7 is needed"),
        ("\ncolours:\n  ground: '#808080'", "line 3: colours.ground", "14 is needed: take a lighter one"),
        ("colours: {primary: green}", "line 1: colours.primary", "matching regex"),
        ("colours: {warna: '#000000'}", "line 1: colours", "unknown field `warna`; there is primary, accent, ground"),
        ("page: {size: A3}", "line 1: page.size", "A3'; there is A4, A5, Letter"),
        (
            "header: a\nfonts: {judul: a.ttf}",
            "line 2: fonts",
            "; there is body, bold, italic, sans, sans-bold, sans-italic",
        ),
        ("fonts: {body: tiada.ttf}", "line 1: fonts.body", "there is no file 'tiada.ttf'"),
        ("fonts: {body: ../uji/template.yaml}", "line 1: fonts.body", "there is no file"),
        ("fonts: {body: logo.png}", "line 1: fonts.body", "logo.png is no TrueType font"),
        ("logo: {file: logo.png}", "line 1: logo", "missing required field `alternative`"),
        ("logo: {file: brand.yaml, alternative: x}", "line 1: logo.file", "brand.yaml is no PNG or JPEG"),
        ("blocks: []", "line 1", "unknown field `blocks`; there is logo, colours, fonts"),
        ("header: 'Halo {{ nama'", "line 1: header", "expected 'end of print statement'"),
        ("footer: '{{ alamat }}'", "line 1: footer", "'alamat' is undefined"),
        ("language: fr", "line 1: language", "'fr' is not one of id, en"),
        ("time_zone: Asia/Mars", "line 1: time_zone", "there is no time zone"),
        ("fonts: {sans: body, body: 5}", "line 1: fonts.body", "Expected `str`, got `int`"),
        ('logo: {file: "a\\0b", alternative: x}', "line 1: logo.file", "there is no file"),
        ("header: &a {b: *a}", "line 1: an alias", "stands within what it names"),
        ("- a", "line 1: (top)", "Expected `object`, got `array`"),
        ("a: [", "line 1", "not YAML"),
    ],
)
def test_a_mistake_in_a_brand_is_named_with_file_and_line(tmp_path: Path, brand: str, place: str, said: str) -> None:
    branded(tmp_path)
    (tmp_path / "brand.yaml").write_text(brand, "utf-8")
    (tmp_path / "uji" / "sample.json").write_text('{"nama": "Ayu"}', "utf-8")
    done = CliRunner().invoke(app, ["check", "uji", "-t", str(tmp_path)])
    assert done.exit_code == 1
    assert f"uji: template_invalid: {tmp_path.name}/brand.yaml, {place}" in done.stdout
    assert said in done.stdout


def test_an_empty_brand_says_nothing(tmp_path: Path) -> None:
    renderer = branded(tmp_path)
    (tmp_path / "brand.yaml").write_text("", "utf-8")
    assert renderer.template("uji").layout.author == "reportq"
    (tmp_path / "uji" / "template.yaml").write_text("", "utf-8")
    assert error_of(renderer).detail.startswith("uji/template.yaml, line 1")


def test_what_was_drawn_for_one_brand_does_not_show_in_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "lain"
    folder.mkdir()
    shutil.copy(FONTS / "NotoSans-Bold.ttf", folder / "Kita.ttf")
    page = {"size": "Letter", "orientation": "landscape"}
    other = branded(folder, **BRAND, page=page, fonts={"body": "Kita.ttf", "bold": "sans-bold"})
    plain = product(tmp_path)
    before = plain.render(request("uji", {"nama": "Ayu"}))
    own = other.render(request("uji", {"nama": "Ayu"}))
    assert plain.render(request("uji", {"nama": "Ayu"})) == before
    assert other.render(request("uji", {"nama": "Ayu"})) == own


def test_a_page_is_drawn_in_the_brands_colours(tmp_path: Path) -> None:
    cover = 'title: A\nsubject: B\nblocks: [{block: cover, title: Judul, name: "{{ nama }}"}]'
    renderer = branded(tmp_path, cover, **BRAND)
    (page,) = pages(renderer.render(request("uji", {"nama": "Ayu"})), 72)
    assert page.convert("RGB").getpixel((20, 20)) == (0x14, 0x53, 0x2D)


# -- fonts --------------------------------------------------------------------------------------------------


def test_a_font_file_sets_its_style_and_what_it_lacks_is_set_as_usual(tmp_path: Path) -> None:
    """Given a font with ASCII and kerning alone, then names in other letters are there, and all can be copied."""
    font = TTFont(FONTS / "NotoSans-Bold.ttf")
    for table in font["cmap"].tables:
        table.cmap = {code: glyph for code, glyph in table.cmap.items() if code < 0x7F}
    font.save(tmp_path / "Kita Punya.ttf")
    text = GOOD.replace("Isi laporan.", "{{ nama }} − a-b ffi " + "pengembangan kepribadian " * 30)
    renderer = branded(tmp_path, text, fonts={"body": "Kita Punya.ttf"})
    pdf = renderer.render(request("uji", {"nama": "Ľubomír Đặng محمد ꦱꦸꦭꦠꦤ꧀"}))
    fonts = {str(font["/BaseFont"]) for font in fonts_of(pdf)}
    assert any(name.endswith("+KitaPunya") for name in fonts), fonts
    said = copied(pdf).replace("\n", " ")
    assert all(word in said for word in ["Ľubomír", "Đặng", "محمد", "ꦱꦸꦭꦠꦤ꧀", "pengem\xad"])
    assert "− a-b ffi" in said
    assert "[U+" not in said


def fonts_of(pdf: bytes) -> list[Any]:
    return [
        font.get_object() for page in PdfReader(io.BytesIO(pdf)).pages for font in page["/Resources"]["/Font"].values()
    ]


def spoiled(path: Path, how: str) -> None:
    font = TTFont(FONTS / "NotoSans-Regular.ttf")
    if how == "fsType":
        font["OS/2"].fsType = 2
    for table in font["cmap"].tables if how == "cmap" else ():
        table.cmap.pop(ord("q"), None)
    font.save(path)
    if how == "half":
        path.write_bytes(path.read_bytes()[:20_000])


@pytest.mark.parametrize(
    ("how", "said"), [("fsType", "may not be embedded"), ("cmap", "lacks letters"), ("half", "Kita.ttf ")]
)
def test_a_font_that_cannot_be_used_is_refused(tmp_path: Path, how: str, said: str) -> None:
    spoiled(tmp_path / "Kita.ttf", how)
    with pytest.raises(Permanent, match=said) as caught:
        branded(tmp_path, fonts={"sans": "Kita.ttf"}).render(request("uji", {"nama": "Ayu"}))
    assert caught.value.code == "template_invalid"
    assert caught.value.detail.startswith(f"{tmp_path.name}/brand.yaml, line 2: fonts.sans: Kita.ttf ")


# -- sheets -------------------------------------------------------------------------------------------------

SEEDS = 3  # of data for each sheet; the soak has more


@pytest.fixture
def overflowing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What stands beyond the foot of its page, of all documents drawn from now on."""
    found: list[str] = []

    def watched(items: list[Item]) -> list[Page]:
        made = paginated(items)
        for number, page in enumerate(made, start=1):
            y, last = page.placed[-1]
            if y + last.height > sheet().body + 0.01:
                found.append(f"page {number}: {y + last.height - sheet().body:.1f} points too low")
        return made

    monkeypatch.setattr(renderers, "paginated", watched)
    return found


@pytest.mark.parametrize("kind", SHEETS, ids="-".join)
def test_every_block_fits_every_sheet(
    tmp_path: Path, watched: type[WatchedCanvas], overflowing: list[str], kind: tuple[str, str]
) -> None:
    """With the sample, and with any data at all: no line leaves its box, and nothing leaves the page."""
    first = list(SHEETS).index(kind) * SEEDS  # each sheet has seeds of its own
    every_block_fits(tmp_path, watched, overflowing, kind, [None, *range(first, first + SEEDS)])


def test_tall_names_around_a_radar_do_not_touch(
    tmp_path: Path, watched: type[WatchedCanvas], overflowing: list[str]
) -> None:
    """Javanese lines reach far down: on a small sheet the spokes carry numbers then, and a key names them."""
    every_block_fits(tmp_path, watched, overflowing, ("A5", "portrait"), [8, 51, 77])


def test_the_number_of_a_character_that_no_font_has_is_divided_where_it_must_be(
    tmp_path: Path, watched: type[WatchedCanvas], overflowing: list[str]
) -> None:
    every_block_fits(tmp_path, watched, overflowing, ("A5", "portrait"), [64])


def every_block_fits(
    folder: Path,
    watched: type[WatchedCanvas],
    overflowing: list[str],
    kind: tuple[str, str],
    seeds: Sequence[int | None],
) -> None:
    """One renderer draws the sample (None) and what each seed makes."""
    name = make_product(folder, brand=BRAND | {"page": {"size": kind[0], "orientation": kind[1]}})
    renderer = PdfRenderer((folder,))
    wrong = {}
    for seed in seeds:
        for noted in (watched.boxes, watched.too_wide, overflowing):
            noted.clear()
        report = gallery_sample() if seed is None else any_report(random.Random(seed))
        renderer.render(request(name, report))
        if found := misplaced(watched.boxes, SHEETS[kind]) + watched.too_wide + overflowing:
            wrong[seed] = found
    assert wrong == {}


@pytest.mark.parametrize("shipped", PRODUCTS)
@pytest.mark.parametrize("kind", [("A5", "portrait"), ("A5", "landscape"), ("Letter", "landscape")], ids="-".join)
def test_a_shipped_report_that_is_linked_beside_a_brand_takes_it(
    tmp_path: Path, watched: type[WatchedCanvas], overflowing: list[str], kind: tuple[str, str], shipped: str
) -> None:
    renderer = branded(tmp_path, **BRAND, page={"size": kind[0], "orientation": kind[1]})
    (tmp_path / shipped).symlink_to(TEMPLATES / shipped)
    pdf = PdfReader(io.BytesIO(renderer.render(request(shipped, sample(shipped)))))
    assert all(len(page.images) == 1 for page in pdf.pages)
    assert misplaced(watched.boxes, SHEETS[kind]) + watched.too_wide + overflowing == []


def test_columns_of_a_narrow_page_are_as_wide_as_their_words_and_numbers(
    tmp_path: Path, watched: type[WatchedCanvas]
) -> None:
    """Given shares made for A4, then an A5 page breaks no number and no name of a column."""
    renderer = branded(tmp_path, page={"size": "A5"})
    (tmp_path / "minatBakatUmum").symlink_to(TEMPLATES / "minatBakatUmum")
    renderer.render(request("minatBakatUmum", sample("minatBakatUmum")))
    said = {box.text.strip() for box in watched.boxes}
    assert {"114–134", "118–138", "Persentil", "Rentang", "Investigatif"} <= said


def ink_box(picture: Image.Image) -> tuple[int, int, int, int]:
    """The smallest box around all that is not white."""
    found = picture.convert("L").point(lambda value: 255 * (value < 250)).getbbox()
    assert found is not None
    return found


@pytest.mark.parametrize("kind", SHEETS, ids="-".join)
def test_nothing_is_drawn_in_the_margins(tmp_path: Path, kind: tuple[str, str]) -> None:
    """Shapes too: charts, tables, rules and pictures stay within the measure of every page but the cover."""
    brand = BRAND | {"page": {"size": kind[0], "orientation": kind[1]}}
    name = make_product(tmp_path, brand=brand)
    page = SHEETS[kind]
    for picture in pages(PdfRenderer((tmp_path,)).render(request(name, gallery_sample())), 72)[1:]:
        left, top, right, bottom = ink_box(picture)
        assert left >= page.left - 2
        assert right <= page.width - page.left + 2
        assert top >= 14
        assert bottom <= page.height - 14


def test_a_sheet_ends_with_its_block() -> None:
    """A page measured wrongly would be noticed: given any sheet, then its parts fit into it."""
    for page in SHEETS.values():
        assert page.top + page.body + 4 * 14 < page.height
        assert page.band * 14 < page.height / 2
    assert SHEETS["A4", "portrait"] is A4
