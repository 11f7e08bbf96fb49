"""Debian packages that trials and tests need: installed when missing, without starting their services."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")  # asked by Debian's packages before they start a service
LOCK = Path(tempfile.gettempdir()) / "reportq-packages.lock"
APT = ["apt-get", "-qq", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]


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
    with _one_at_a_time(), _services_stay_down():
        if missing := [package for package in missing if not installed(package)]:
            _install(missing)


def installed(package: str) -> bool:
    """Whether dpkg knows the package as installed."""
    try:
        answer = subprocess.run(
            ["dpkg-query", "-W", "-f=${db:Status-Status}", package],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return False
    return answer.stdout == "installed"


def _install(packages: list[str]) -> None:
    """Try with the package lists that are here, and once more with fresh ones."""
    done = _apt("install", *packages)
    if done.returncode:
        _apt("update")
        done = _apt("install", *packages)
    if done.returncode:
        last = done.stdout.strip().splitlines()[-5:]
        raise PackagesMissing(f"apt-get install {' '.join(packages)} failed:\n" + "\n".join(last))


def _apt(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*APT, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
