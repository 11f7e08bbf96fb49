"""n8n's official linter of community packages, pinned: its own configuration, without the 758 MB around it.

The tool reads TypeScript. So it gets a copy of the package, in which our CommonJS is written as modules and typed
classes. Each replacement is one line long, so the line numbers of its findings are ours.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

from ops.servers.packages import cache
from tests.n8n.install import install
from tests.n8n.server import NODE

TOOL = "0.48.3"  # of @n8n/node-cli; the others are those that it names
PARTS = (
    "@n8n/eslint-plugin-community-nodes@0.32.0", "eslint@9.29.0", "@eslint/js@9.29.0", "typescript-eslint@8.35.0",
    "typescript@5.9.3", "eslint-plugin-n8n-nodes-base@1.16.7", "eslint-plugin-import-x@4.15.2",
    "eslint-import-resolver-typescript@4.4.4",
)  # fmt: skip
CONFIGURATION = "import { config } from '@n8n/node-cli/eslint';\nexport default config;\n"


def lint(package: Path = NODE) -> str:
    """What the linter says of the package; nothing when it is content."""
    tool = _installed()
    view = tool / f"view-{os.getpid()}"  # below its packages, where it finds them
    try:
        shutil.copytree(package, view, ignore=shutil.ignore_patterns("dist"))
        shutil.copytree(package / "dist", view, dirs_exist_ok=True)
        for file in view.rglob("*.js"):
            file.with_suffix(".ts").write_text(_typed(file.read_text(), ".credentials" in file.name))
            file.unlink()
        (view / "eslint.config.mjs").write_text(CONFIGURATION)
        return _run(view, str(tool / "node_modules/.bin/eslint"), ".", "--max-warnings", "0")
    finally:
        shutil.rmtree(view, ignore_errors=True)


def _typed(text: str, credentials: bool) -> str:
    kind = "ICredentialType" if credentials else "INodeType"
    text = re.sub(r"^const (\{[^}]*\}|\w+) = require\(('[^']+')\);", r"import \1 from \2;", text, flags=re.M)
    text, classes = re.subn(r"^class (Reportq\w*) \{", rf"export class \1 implements {kind} {{", text, flags=re.M)
    text = re.sub(r"^module\.exports = \{ Reportq\w* \};\n", "", text, flags=re.M)
    text = re.sub(r"^module\.exports = (\{[^}\n]*\};)", r"export \1", text, flags=re.M)
    text = re.sub(r"^module\.exports = ", "export default ", text, flags=re.M)
    return f"import type {{ {kind} }} from 'n8n-workflow'; {text}" if classes else text


def _installed() -> Path:
    place = cache() / f"n8n-lint-{TOOL}"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            (place / "package.json").write_text('{"private": true}')
            quiet = ("--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund", "--no-progress")
            _run(place, "npm", "install", *PARTS, *quiet)
            _run(place, "npm", "pack", f"@n8n/node-cli@{TOOL}", "--silent")
            tool = place / "node_modules/@n8n/node-cli"
            tool.mkdir(exist_ok=True)
            _run(place, "tar", "-xzf", f"n8n-node-cli-{TOOL}.tgz", "-C", str(tool), "--strip-components=1")
            (place / "complete").touch()
    return place


def _run(folder: Path, *command: str) -> str:
    """One command; what it printed when it failed, for npm as an error."""
    n8n = install()
    path = f"{n8n.node.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": path, "NODE_PATH": str(n8n.folder / "node_modules")},
        timeout=600,
        check=False,
    )
    if done.returncode and not command[0].endswith("eslint"):
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout[-3000:]}")
    return done.stdout.strip() if done.returncode else ""
