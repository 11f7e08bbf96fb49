"""What the image installs: every package of requirements.txt and all that they need, each with the hashes of its files.

    python -m ops.locked        writes ops/requirements.lock again; with Python 3.11, after requirements.txt has changed

`pytest` stands in requirements.txt because the project's card names it; only tests run it, so the image leaves it out.
The hashes are of the files that pip takes for CPython 3.11 on Linux, for Intel and for Arm.
"""

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "ops" / "requirements.lock"
TESTS_ONLY = ("pytest==",)
MACHINES = ("x86_64", "aarch64")
GLIBC = range(36, 4, -1)  # Debian 12's and older


def wanted() -> list[str]:
    """The lines of requirements.txt that production runs on, without their comments."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines())
    return [line for line in lines if line and not line.startswith(TESTS_ONLY)]


def _resolved(machine: str) -> list[tuple[str, str]]:
    """Each package with its version as pip writes it, and its file's SHA-256; pip resolves and installs nothing."""
    platforms = [f"--platform=manylinux_2_{glibc}_{machine}" for glibc in GLIBC]
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "requirements.txt"
        asked.write_text("\n".join(wanted()))
        command = [
            sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report=-",
            "--only-binary=:all:", "--python-version=3.11", "--implementation=cp", *platforms,
            f"--platform=manylinux2014_{machine}", f"--target={folder}/none", f"--requirement={asked}",
        ]  # fmt: skip
        report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    made = [(one["metadata"], one["download_info"]["archive_info"]["hashes"]["sha256"]) for one in report["install"]]
    return [(f"{package['name'].lower()}=={package['version']}", digest) for package, digest in made]


def main() -> None:
    """Ask pip for both machines and write the file."""
    hashes = defaultdict[str, set[str]](set)
    for machine in MACHINES:
        for package, digest in _resolved(machine):
            hashes[package].add(digest)
    lines = ["# Made by `python -m ops.locked`; the image's packages."]
    for package in sorted(hashes):
        lines.append(" ".join([package, *(f"--hash=sha256:{digest}" for digest in sorted(hashes[package]))]))
    LOCK.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
