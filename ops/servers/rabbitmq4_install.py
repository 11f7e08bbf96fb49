"""Unpacks a newer Debian's RabbitMQ, with the Erlang and the C library it needs, into a cache: 65 MB to fetch, once.

    TEST_RABBITMQ_ROOT=$(python -m ops.servers.rabbitmq4_install) ops/test cluster

Nothing of it is installed: the packages' scripts are not run, and root is not needed. Debian's apt resolves what is
needed as if nothing were there. It checks Debian's signature on what it fetches. The result is run by
`ops.servers.rabbitmq.program`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from ops.servers.n8n_install import cache
from ops.servers.packages import PackagesMissing

RELEASE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# All but the first are essential, so that nothing depends on them by name; RabbitMQ and its start scripts use them.
PACKAGES = ("rabbitmq-server", "dash", "coreutils", "sed", "libc-bin")


def install(folder: Path | None = None) -> Path:
    """The unpacked tree, made now when it is not there yet; a second caller waits for the first."""
    place = folder or cache() / f"rabbitmq-{RELEASE}"
    place.mkdir(parents=True, exist_ok=True)
    root = place / "root"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            _unpack(_fetch(place), root)
    return root


def _fetch(place: Path) -> list[Path]:
    """The packages and all that they depend on; apt refuses what Debian has not signed."""
    if not KEYRING.exists():
        raise PackagesMissing(f"{KEYRING} is missing: install the package debian-archive-keyring.")
    for name in ("lists/partial", "archives/partial", "none"):
        (place / name).mkdir(parents=True, exist_ok=True)
    (place / "status").touch()
    (place / "sources.list").write_text(
        f"deb [signed-by={KEYRING}] http://deb.debian.org/debian {RELEASE} main\n"
        f"deb [signed-by={KEYRING}] http://deb.debian.org/debian-security {RELEASE}-security main\n"
    )
    options = {
        "Dir::Etc::SourceList": place / "sources.list",
        "Dir::Etc::SourceParts": place / "none",
        "Dir::Etc::PreferencesParts": place / "none",
        "Dir::State": place,
        "Dir::State::Status": place / "status",  # an empty one: whatever is needed is missing
        "Dir::Cache": place,
        "Dir::Cache::Archives": place / "archives",
        "APT::Keep-Downloaded-Packages": "true",
        "APT::Sandbox::User": os.environ.get("USER", "root"),  # apt's own user could not write to a cache of ours
    }
    apt = ["apt-get", "-qq", "-y", "--no-install-recommends"]
    for name, value in options.items():
        apt += ["-o", f"{name}={value}"]
    _run(*apt, "--error-on=any", "update")
    _run(*apt, "--download-only", "install", *PACKAGES)
    return sorted((place / "archives").glob("*.deb"))


def _unpack(archives: list[Path], root: Path) -> None:
    unfinished = root.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for archive in archives:
        _run("dpkg-deb", "--extract", str(archive), str(unfinished))
        archive.unlink()
    unfinished.rename(root)


def _run(*command: str) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise PackagesMissing(f"{command[0]} failed:\n" + "\n".join(done.stdout.strip().splitlines()[-8:]))


if __name__ == "__main__":
    print(install())
