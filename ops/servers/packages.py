"""Debian packages that trials and tests need: installed when missing, without starting their services."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")  # asked by Debian's packages before they start a service
LOCK = Path(tempfile.gettempdir()) / "reportq-packages.lock"
APT = ("apt-get", "-qq", "-y", "--no-install-recommends")


class PackagesMissing(RuntimeError):
    """Packages are missing and cannot be installed from here; the text is for people."""


def need(*packages: str) -> None:
    """Install those of the packages that are missing; PackagesMissing says what to do when we cannot."""
    if not (missing := [package for package in packages if not installed(package)]):
        return
    names = " ".join(missing)
    if shutil.which("apt-get") is None:
        raise PackagesMissing(f"These programs are needed and this is no Debian system: {names}")
    if os.geteuid() != 0:
        raise PackagesMissing(f"Debian packages are missing. Install them as root: apt-get install {names}")
    with locked(LOCK), _services_stay_down():
        if missing := [package for package in missing if not installed(package)]:
            _install(missing)


def installed(package: str) -> bool:
    """Whether dpkg knows the package as installed."""
    try:
        asked = ["dpkg-query", "-W", "-f=${db:Status-Status}", package]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout == "installed"
    except FileNotFoundError:
        return False


def run(*command: str) -> None:
    """One command; PackagesMissing, with the end of what it said, when it fails."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )  # fmt: skip
    if done.returncode:
        raise PackagesMissing(f"{command[0]} failed:\n" + "\n".join(done.stdout.strip().splitlines()[-8:]))


def cache() -> Path:
    """XDG_CACHE_HOME/reportq, by default ~/.cache/reportq: what takes long to fetch or to make."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reportq"


def made_once(place: Path, make: Callable[[Path], None]) -> Path:
    """A folder, made now when it is not there yet: `make` fills another one, which takes its name once it is whole."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with locked(place.with_name(f"{place.name}.lock")):
        if not place.exists():
            unfinished = place.with_name(f"{place.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(place)
    return place


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a file's lock; a second caller waits for the first."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(packages: list[str]) -> None:
    """Try with the package lists that are here, and once more with fresh ones."""
    install = (*APT, "-o", "DPkg::Lock::Timeout=300", "install", *packages)
    try:
        run(*install)
    except PackagesMissing:
        with contextlib.suppress(PackagesMissing):
            run(*APT, "update")
        run(*install)


@contextlib.contextmanager
def _services_stay_down() -> Iterator[None]:
    """Refuse starts while we install: no machine-wide RabbitMQ or MariaDB may appear, ours are private."""
    if POLICY.exists():
        yield  # the machine has a policy of its own
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
