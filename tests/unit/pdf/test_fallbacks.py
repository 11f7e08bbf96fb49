"""Fonts for other scripts are read when they are needed, and characters without a font are reported."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from actors.pdf.fonts import families as module
from actors.pdf.fonts.families import FALLBACKS, SCRIPTS, Fallback, families, scripts_of
from actors.pdf.renderer import PdfRenderer
from actors.process.runtime import build
from ops.authoring.pages import PAGE
from ops.servers.packages import need
from ops.stack import ROOT
from schema.settings import Settings
from tests.unit.pdf.conftest import copied, request, sample, text_of

NO_FONT = "Wu \U0001e900\U0001e901 \U00016800"  # Adlam and Bamum

READ = """
import sys
from pathlib import Path
from actors.pdf.fonts import families as module
from tests.unit.pdf.conftest import request, sample
from actors.pdf.renderer import PdfRenderer
module.SYSTEM_CJK = ()
report = sample("profilKognitif")
report["peserta"]["nama"] = sys.argv[1]
PdfRenderer().render(request("profilKognitif", report))
body = module.families()["body"]
print(*(fallback.path.stem for fallback in body.fallbacks if fallback._face))
"""


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("Ayu Łucja Đặng", ""),
        ("محمد", "NotoNaskhArabic-Regular"),
        ("ꦱꦸꦭꦠꦤ꧀ ᬅᬬᬸ", "NotoSansJavanese-Regular NotoSansBalinese-Regular"),
    ],
    ids=["latin", "arabic", "javanese and balinese"],
)
def test_only_the_fonts_of_the_names_scripts_are_read(name: str, read: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ, name], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == read


def test_each_fallback_is_meant_for_what_it_covers() -> None:
    """Given any letter of a shipped fallback's own blocks, then no other font is read for it."""
    for fallback in families()["body"].fallbacks[: len(FALLBACKS)]:
        own = [chr(code) for code in fallback.face.coverage if fallback.meant_for(chr(code))]
        assert len(own) > 60
        others = [one for one in families()["body"].fallbacks if one is not fallback]
        assert not [char for char in own for other in others if other.meant_for(char)]


def test_what_no_font_has_is_told_once_by_script_and_never_by_letter() -> None:
    told: list[tuple[str, Sequence[str]]] = []
    renderer = PdfRenderer((), lambda document_id, scripts: told.append((document_id, scripts)))
    report = sample("profilKognitif")
    renderer.render(request("profilKognitif", report, "pdf_a"))
    report["peserta"]["nama"] = NO_FONT
    assert "Wu [U+1E900][U+1E901] [U+16800]" in text_of(renderer.render(request("profilKognitif", report, "pdf_b")))
    renderer.render(request("profilKognitif", sample("profilKognitif"), "pdf_c"))
    assert told == [("pdf_b", ["Adlam", "Bamum"])]
    assert scripts_of("王\U0001f600ก") == ["CJK", "Thai", "symbols"]


def test_the_worker_logs_it(tmp_path: Path) -> None:
    runtime = build(Settings(run_dir=str(tmp_path), database_url=f"sqlite:///{tmp_path}/reportq.db"))
    report = sample("profilKognitif")
    report["peserta"]["nama"] = NO_FONT
    try:
        with capture_logs() as logs:
            runtime.renderer.render(request("profilKognitif", report, "pdf_b"))
    finally:
        runtime.close()
    warned = [entry for entry in logs if entry["log_level"] == logging.getLevelName(logging.WARNING).lower()]
    assert [(entry["event"], entry["scripts"]) for entry in warned] == [("report.fonts_missing", ["Adlam", "Bamum"])]


def test_the_manuals_name_the_scripts_and_the_optional_package() -> None:
    for manual in (ROOT / "README.md", PAGE):
        said = manual.read_text("utf-8")
        assert "fonts-droid-fallback" in said
        assert "report.fonts_missing" in said
        assert [script for script in SCRIPTS if script not in said] == []


def test_chinese_names_are_drawn_when_the_optional_font_is_there() -> None:
    need("fonts-droid-fallback")
    module._families.cache_clear()  # which fonts there are is looked up once
    report = sample("profilKognitif")
    report["peserta"]["nama"] = "王小明 Wibowo"
    assert "王小明" in copied(PdfRenderer().render(request("profilKognitif", report)))


def test_without_the_optional_font_chinese_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SYSTEM_CJK", ())
    module._families.cache_clear()
    told: list[Sequence[str]] = []
    try:
        report = sample("profilKognitif")
        report["peserta"]["nama"] = "王小明"
        renderer = PdfRenderer((), lambda _, scripts: told.append(scripts))
        assert "[U+738B][U+5C0F][U+660E]" in text_of(renderer.render(request("profilKognitif", report)))
    finally:
        module._families.cache_clear()
    assert told == [["CJK"]]
    assert all(isinstance(one, Fallback) for one in families()["body"].fallbacks)
