"""The package as n8n's makers and npm look at it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.n8n.install import install
from tests.n8n.linter import lint
from tests.n8n.server import NODE

SOURCES = sorted(NODE.rglob("*.js"))
REPORTQ = NODE / "dist/nodes/Reportq"


def test_the_official_linter_is_content() -> None:
    assert lint() == ""


FAULTS = [  # of a file: what stands there, what does instead, and the rule that is broken
    ("dist/nodes/Reportq/Reportq.node.js", "usableAsTool: true, ", "", "node-usable-as-tool"),
    ("dist/nodes/Reportq/ReportqTrigger.node.js", "name: 'reportqTrigger'", "name: 'other'", "trigger-node-conventions"),
    ("dist/credentials/ReportqApi.credentials.js", "test = {", "tested = {", "credential-test-required"),
    ("dist/nodes/Reportq/batches.js", "require('crypto')", "require('fs')", "no-restricted-imports"),
    ("package.json", '"MIT"', '"GPL"', "n8n-nodes-base/community-package-json-license-not-default"),
]  # fmt: skip


def test_the_linter_sees_our_code(tmp_path: Path) -> None:
    """A fault in each kind of file, all at once: what the linter says below a file's name names the file's own rule."""
    copy = tmp_path / "package"
    shutil.copytree(NODE, copy)
    for file, old, new, _ in FAULTS:
        spoiled = copy / file
        assert old in spoiled.read_text()
        spoiled.write_text(spoiled.read_text().replace(old, new, 1))
    said = [part.strip() for part in lint(copy).split("\n\n")]
    for file, _, _, rule in FAULTS:
        shown = f"/{Path(file).with_suffix('.ts').name}" if file.endswith(".js") else f"/{file}"
        assert [part for part in said if shown in part.partition("\n")[0] and rule in part], said


def test_it_is_small_and_holds_what_it_needs(tmp_path: Path) -> None:
    assert sum(len(file.read_text().splitlines()) for file in SOURCES) <= 900
    command = ["npm", "pack", str(NODE), "--pack-destination", str(tmp_path), "--silent"]
    subprocess.run(command, check=True, timeout=120, stdin=subprocess.DEVNULL, capture_output=True)
    (packed,) = tmp_path.glob("*.tgz")
    assert packed.stat().st_size <= 60_000
    with tarfile.open(packed) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
    manifest = json.loads((NODE / "package.json").read_text())
    entries = manifest["n8n"]["nodes"] + manifest["n8n"]["credentials"]
    assert names >= {*entries, "README.md", "LICENSE", "package.json"}
    assert names >= {str(file.relative_to(NODE)) for file in SOURCES}
    assert "dependencies" not in manifest


def test_each_icon_and_codex_file_is_there() -> None:
    for file in SOURCES:
        for icon in re.findall(r"'file:([^']+)'", file.read_text()):
            assert (file.parent / icon).is_file(), icon
    for name in ("Reportq", "ReportqTrigger"):
        codex = json.loads((REPORTQ / f"{name}.node.json").read_text())
        assert codex["node"] == f"n8n-nodes-reportq.{name[0].lower()}{name[1:]}"


def script(text: str) -> object:
    """What a script that requires the package's parts prints, as JSON, in n8n's own Node."""
    n8n = install()
    done = subprocess.run(
        [str(n8n.node), "-e", text],
        cwd=REPORTQ,
        capture_output=True,
        text=True,
        env={"NODE_PATH": str(n8n.folder / "node_modules")},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_fields_of_a_product_come_from_its_schema() -> None:
    schema = {
        "type": "object",
        "required": ["person", "level"],
        "properties": {
            "person": {"$ref": "#/$defs/person"},
            "level": {"enum": ["low", "high"]},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "scores": {"type": "array", "items": {"type": "number"}},
        },
        "$defs": {
            "person": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
            }
        },
    }
    found = script(f"console.log(JSON.stringify(require('./fields').fieldsOf({json.dumps(schema)})))")
    assert isinstance(found, list)
    shown = {field["id"]: (field["type"], field["required"]) for field in found}
    assert shown == {
        "person.name": ("string", True), "person.age": ("number", False), "level": ("options", True),
        "note": ("string", False), "scores": ("array", False),
    }  # fmt: skip


def test_mapped_fields_become_the_data() -> None:
    values = {"person.name": "Ani", "person.age": None, "__proto__.polluted": 1, "scores": [1]}
    text = f"const {{ dataOf }} = require('./fields'); const data = dataOf({json.dumps(values)});"
    assert script(text + "console.log(JSON.stringify([data, ({}).polluted ?? null]))") == [
        {"person": {"name": "Ani"}, "__proto__": {"polluted": 1}, "scores": [1]}, None
    ]  # fmt: skip
    picked = "require('./fields').picked({ person: { name: 'Ani' }, x: 1 }, [{ id: 'person.name' }, { id: 'y' }])"
    assert script(f"console.log(JSON.stringify({picked}))") == {"person.name": "Ani"}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:5678/webhook/x", "REPORTQ_WEBHOOK_ALLOW=127.0.0.1:5678"),
        ("https://n8n.example.com/webhook-test/x", "webhook_test_url"),
        ("https://n8n.example.com/webhook-waiting/7?signature=a", "409"),
        ("n8n/webhook/x", "callback_refused"),
        ("https://n8n.example.com/webhook/x", ""),
    ],
)
def test_a_step_in_the_editor_says_what_a_callback_would_meet(url: str, said: str) -> None:
    found = script(f"console.log(JSON.stringify(require('./hints').hintsOf({json.dumps(url)})))")
    assert isinstance(found, list)
    assert (not found) if not said else said in " ".join(hint["message"] for hint in found)
