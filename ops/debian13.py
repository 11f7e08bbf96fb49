"""A Debian 13 in a folder, and the tests in it: `ops/test debian13`.

debootstrap makes it in the cache, and what is installed in it stays there, so that the next run is quicker. On this
machine itself only debootstrap is installed.
"""

import os
import shlex
import subprocess
from pathlib import Path

from ops.servers.packages import cache, made_once, need, run
from ops.servers.process import filled

ROOT = Path(__file__).resolve().parents[1]
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def debootstrapped(release: str, *packages: str) -> Path:
    """A small Debian with these packages in the cache, made now when it is not there yet. Raises PackagesMissing."""
    need("debootstrap")

    def make(tree: Path) -> None:
        run("debootstrap", "--variant=minbase", f"--include={','.join(packages)}", release, str(tree))
        with (tree / "etc/apt/sources.list").open("a") as sources:
            sources.write(f"deb http://deb.debian.org/debian-security {release}-security main\n")

    return made_once(cache() / f"debian-{release}", make)


def test(options: list[str]) -> bool:
    """Each step in turn, its output shown; options go to pytest. Raises PackagesMissing."""
    tree = debootstrapped("trixie", "python3-venv", "ca-certificates", "procps")
    for folder in (tree / "srv/reportq", tree / "var/lib/reportq", ROOT / "var"):
        folder.mkdir(parents=True, exist_ok=True)
    steps = (
        "cat /etc/debian_version; python3 --version",
        ". ops/venv; reportq_venv requirements.txt tests/requirements.txt; exec $PYTHON -m pytest -q "
        + shlex.join(["tests/unit", "tests/contracts", "tests/protocol", *options]),
        "ops/run --once",
        "ops/run --servers --once; mariadbd --version; dpkg-query -W rabbitmq-server",
    )
    passed = [_inside(tree, step) for step in steps]
    return all(passed)


def _inside(tree: Path, command: str) -> bool:
    """One shell command in the project's folder of that Debian, with processes of its own."""
    given = {name: os.environ[name] for name in ("PIP_INDEX_URL", "http_proxy", "https_proxy") if name in os.environ}
    environment = filled(Path(__file__).with_suffix(".env"), {"certificates": CERTIFICATES}) | given
    script = Path(__file__).with_suffix(".sh").read_text()
    print(f"Debian 13: {command}", flush=True)
    shell = f"set -eu; cd /srv/reportq; {command}"
    enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", script, str(tree), str(ROOT)]
    return subprocess.run([*enter, "bash", "-c", shell], env=environment, check=False).returncode == 0
