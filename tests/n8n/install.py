"""Installs the pinned n8n from npm into a cache outside the checkout: about 5 minutes and 3 GB, once a machine.

    python -m tests.n8n.install

n8n's own install scripts fail without a network to GitHub: they build a native part that is not needed. So they are
left out. The one native part that is needed, sqlite3, is built by itself. Its headers come with Node's package from
npm.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ops.servers.packages import cache, made_once

VERSION = "2.41.1"
NODE_VERSION = "24.21.0"


class InstallFailed(RuntimeError):
    """npm did not bring n8n; the text names the step and the end of what it said."""


@dataclass(frozen=True)
class Installed:
    """Where n8n and the Node that runs it were put."""

    folder: Path

    @property
    def node(self) -> Path:
        return self.folder / "runtime/node_modules/node/bin/node"

    @property
    def n8n(self) -> Path:
        return self.folder / "node_modules/n8n/bin/n8n"


def install() -> Installed:
    """n8n, installed now when it is not yet there; a second caller waits for the first. Raises InstallFailed."""
    return Installed(made_once(cache() / f"n8n-{VERSION}", _install))


def _install(folder: Path) -> None:
    if shutil.which("npm") is None:
        raise InstallFailed("npm is missing: install Debian's packages nodejs and npm (any version; Node 24 follows).")
    runtime = folder / "runtime"
    runtime.mkdir(parents=True)
    quiet = ("--no-audit", "--no-fund", "--no-progress")
    _run(runtime, "npm", "install", f"node@{NODE_VERSION}", *quiet)
    headers = next(runtime.glob("**/include/node/node_version.h"), None)
    if headers is None:
        raise InstallFailed(f"node@{NODE_VERSION} came without its headers.")
    node = headers.parents[2]
    (folder / "package.json").write_text('{"private": true}')
    path = f"{node / 'bin'}{os.pathsep}{os.environ['PATH']}"
    _run(folder, "npm", "install", f"n8n@{VERSION}", "--ignore-scripts", *quiet, PATH=path)
    _run(folder, "npm", "rebuild", "sqlite3", PATH=path, npm_config_nodedir=str(node))
    if not any(folder.glob("node_modules/sqlite3/build/Release/*.node")):
        raise InstallFailed("sqlite3 was not built: a C++ compiler, make and python3 are needed.")


def _run(folder: Path, *command: str, **variables: str) -> None:
    """One npm command; its output goes to a file, because n8n's tools spin on a closed pipe."""
    log = folder / "install.log"
    with log.open("ab") as output:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, **variables}, timeout=1800, check=False,
        )  # fmt: skip
    if done.returncode:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise InstallFailed(f"{' '.join(command)} failed:\n{end}")


if __name__ == "__main__":
    print(install().folder)
