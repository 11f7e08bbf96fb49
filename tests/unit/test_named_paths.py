"""Every file that a document, a docstring, a comment or an error names exists: whoever looks for it finds it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).parents[2]
ROOMS = ("schema", "middleware", "actors", "service", "ops", "tests")
_PATH = re.compile(rf"(?<![\w./:<-])(?:{'|'.join(ROOMS)})/[\w./-]*\.(?:conf|html|js|json|md|py|sh|yml)\b")
_TESTS = re.compile(
    r"`([a-z0-9]+/(?:pdf/)?test_\w+)(?:\.py)?(?:: (test_\w+…?))?"
)  # `api/test_doors.py`, as our lists say
_TEST = re.compile(r"`(test_\w+?)(_…)?`")


def documents() -> list[Path]:
    return [*TOP.glob("*.md"), *TOP.glob("ops/**/*.md")]


def writings() -> list[Path]:
    """All that people read: documents, our programs and their configuration."""
    kinds = ("conf", "html", "js", "md", "py", "sh", "yml")
    return [*TOP.glob("*.md"), *(file for room in ROOMS for kind in kinds for file in (TOP / room).rglob(f"*.{kind}"))]


def missing(text: str) -> list[str]:
    """The paths in the text that lead nowhere."""
    return [path for path in _PATH.findall(text) if not (TOP / path).exists()]


def defined() -> set[str]:
    """The names of all tests."""
    return {
        name
        for file in (TOP / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *def (test_\w+)", file.read_text(), re.M)
    }


def test_a_file_that_is_named_exists() -> None:
    named = 0
    for file in writings():
        text = file.read_text()
        named += len(_PATH.findall(text))
        assert missing(text) == [], file.relative_to(TOP)
    assert named > 100


def test_a_link_of_a_document_leads_to_a_file() -> None:
    for file in documents():
        for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", file.read_text()):
            assert (file.parent / target).exists(), f"{file.relative_to(TOP)}: {target}"


@pytest.mark.parametrize("document", ["CHANGELOG.md", "ops/SECURITY.md", "ops/CONTRIBUTING.md"])
def test_a_test_that_is_named_exists(document: str) -> None:
    text, names = (TOP / document).read_text(), defined()
    for file, name in _TESTS.findall(text):
        assert (TOP / "tests" / f"{file.removeprefix('tests/')}.py").exists(), file
        assert not name or name in names, name
    for name, more in _TEST.findall(text):
        known = names | {file.stem for file in (TOP / "tests").rglob("test_*.py")}
        assert any(one.startswith(name) for one in known) if more else name in known, name


def test_a_test_that_quick_leaves_out_exists() -> None:
    for test in yaml.safe_load((TOP / "ops" / "testing.yaml").read_text())["slow"]:
        file, _, name = test.partition("::")
        assert f"def {name or 'test_'}" in (TOP / file).read_text(), test


@pytest.mark.parametrize("room", ROOMS)
def test_a_wrong_path_would_be_found(room: str) -> None:
    assert missing(f"see `{room}/nowhere.py`, or {room}/nothing/README.md.") == [
        f"{room}/nowhere.py",
        f"{room}/nothing/README.md",
    ]
