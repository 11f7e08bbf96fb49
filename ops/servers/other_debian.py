"""Unpacks a server of another Debian, with the libraries it needs, into a cache; fetched once, 65 MB for RabbitMQ.

    TEST_RABBITMQ_ROOT=$(python -m ops.servers.other_debian rabbitmq) ops/test cluster
    TEST_MYSQL_ROOT=$(python -m ops.servers.other_debian mysql) ops/test protocol

Nothing of it is installed: the packages' scripts are not run, and root is not needed. Debian's apt resolves what is
needed as if nothing were there. It checks Debian's signature on what it fetches. The result is run by `inside`.
"""

import os
import sys
from pathlib import Path

from ops.servers.packages import APT, PackagesMissing, cache, made_once, run
from ops.servers.process import filled

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
    return made_once(place / "root", lambda root: _unpack(_fetch(place, release, packages), root))


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
    sources = {"debian": release}
    if release != "sid":  # unstable has no updates of its own
        sources["debian-security"] = f"{release}-security"
    lines = [f"deb [signed-by={KEYRING}] http://deb.debian.org/{part} {name} main\n" for part, name in sources.items()]
    (place / "sources.list").write_text("".join(lines))
    places = {"place": place, "user": os.environ.get("USER", "root")}
    options = filled(Path(__file__).with_suffix(".conf"), places)
    apt = [*APT, *(f"-o{name}={value}" for name, value in options.items())]
    run(*apt, "--error-on=any", "update")
    run(*apt, "--download-only", "install", *packages)
    return sorted((place / "archives").glob("*.deb"))


def _unpack(archives: list[Path], root: Path) -> None:
    root.mkdir()
    for archive in archives:
        run("dpkg-deb", "--extract", str(archive), str(root))
        archive.unlink()


if __name__ == "__main__":
    print(install(sys.argv[1]))
