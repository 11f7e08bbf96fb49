"""Unpacks a server of another Debian, with the libraries it needs, into a cache; fetched once, 65 MB for RabbitMQ.

    TEST_RABBITMQ_ROOT=$(python -m ops.servers.other_debian rabbitmq) ops/test cluster
    TEST_MYSQL_ROOT=$(python -m ops.servers.other_debian mysql) ops/test protocol

Nothing of it is installed: the packages' scripts are not run, and root is not needed. Debian's apt resolves what is
needed as if nothing were there. It checks Debian's signature on what it fetches. The result is run by `inside`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ops.servers.n8n_install import cache
from ops.servers.packages import PackagesMissing

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# By name: the Debian that has it, and its packages. All but a server itself are essential, so that nothing depends on
# them by name; the server and its start scripts use them.
SERVERS = {
    "rabbitmq": ("trixie", ("rabbitmq-server", "dash", "coreutils", "sed", "libc-bin")),
    "mysql": ("sid", ("mysql-server-core", "dash", "libc-bin")),
}


def install(server: str) -> Path:
    """The unpacked tree of one of SERVERS, made now when it is not there yet; a second caller waits for the first."""
    release, packages = SERVERS[server]
    place = cache() / f"{server}-{release}"
    place.mkdir(parents=True, exist_ok=True)
    root = place / "root"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            _unpack(_fetch(place, release, packages), root)
    return root


def inside(root: str | None, *command: str) -> list[str]:
    """The command, run with the `usr` of that tree in place of ours: every path in its scripts and binaries stays right.

    The mount is seen by the command alone and ends with it, however it ends; nothing has to be unmounted. Each step
    replaces itself by the next, so that the process we start is the program. Users other than root get a user
    namespace. Without a root the command is run as it is.
    """
    if root is None:
        return list(command)
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", "--mount", *user, "sh", "-c", 'mount --bind "$0" /usr && exec "$@"', f"{root}/usr", *command]


def _fetch(place: Path, release: str, packages: tuple[str, ...]) -> list[Path]:
    """The packages and all that they depend on; apt refuses what Debian has not signed."""
    if not KEYRING.exists():
        raise PackagesMissing(f"{KEYRING} is missing: install the package debian-archive-keyring.")
    for name in ("lists/partial", "archives/partial", "none"):
        (place / name).mkdir(parents=True, exist_ok=True)
    (place / "status").touch()
    (place / "sources.list").write_text(
        f"deb [signed-by={KEYRING}] http://deb.debian.org/debian {release} main\n"
        # Unstable has no updates of its own.
        + (
            f"deb [signed-by={KEYRING}] http://deb.debian.org/debian-security {release}-security main\n"
            * (release != "sid")
        )
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
    _run(*apt, "--download-only", "install", *packages)
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
    print(install(sys.argv[1]))
