"""What a folder promises beyond the contract: whole files or none, and clear words when the disk refuses."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.artifacts.folder import LEFTOVER_AGE, LocalFolder
from ops.servers.process import wait_until
from ops.servers.small_disk import SmallDisk
from schema.errors import DependencyDown, Transient

REPOSITORY = Path(__file__).parents[2]
WRITER = """
import sys
from actors.artifacts.folder import LocalFolder
store = LocalFolder(sys.argv[1])
n = 0
while True:
    n += 1
    store.put("same", "x", bytes([n % 256]) * 4_000_000, replace=True, labels={})
"""


def test_a_killed_writer_leaves_the_file_before_or_after_never_between(tmp_path: Path) -> None:
    store = LocalFolder(tmp_path)
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], cwd=REPOSITORY)
        wait_until(lambda: len(list(tmp_path.iterdir())) > 1, 20, "a write under way beside the file")
        writer.send_signal(signal.SIGKILL)
        writer.wait()

        content = b"".join(store.read("same"))
        assert len(content) == 4_000_000
        assert len(set(content)) == 1
        for leftover in tmp_path.glob(".*.tmp"):
            leftover.unlink()


def test_what_killed_writers_left_goes_away_after_a_while(tmp_path: Path) -> None:
    old, young = tmp_path / ".a.1.tmp", tmp_path / ".b.2.tmp"
    for leftover in (old, young):
        leftover.write_bytes(b"half")
    past = time.time() - LEFTOVER_AGE - 60
    os.utime(old, (past, past))

    LocalFolder(tmp_path).ping()

    assert list(tmp_path.iterdir()) == [young]


def test_a_full_disk_is_an_outage_that_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    store = LocalFolder(tmp_path)
    # A file-size limit is the one way to meet a refused write without a file system of our own.
    code = (
        "import resource, signal, sys\n"
        "from actors.artifacts.folder import LocalFolder\n"
        "from schema.errors import DependencyDown\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    LocalFolder(sys.argv[1]).put('a', 'x', bytes(5000), replace=False, labels={})\n"
        "except DependencyDown as down:\n    print(down.dependency, down.detail)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert said.startswith("folder Could not store the PDF in the folder")
    assert list(tmp_path.iterdir()) == []
    store.put("a", "x", bytes(5000), replace=False, labels={})


def test_no_space_left_has_a_code_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(DependencyDown) as down:
        LocalFolder(tmp_path).put("a", "x", b"pdf", replace=False, labels={})

    assert down.value.code == "folder_full"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [0, 4096, 100_000, 400_000])
def test_a_folder_without_room_for_a_large_pdf_is_known_before_a_job_meets_it(
    small_disk: Callable[..., SmallDisk], left: int
) -> None:
    disk = small_disk(1 << 20)
    store = LocalFolder(disk.folder / "pdfs")
    store.ping()
    disk.fill(left)

    with pytest.raises(DependencyDown) as down:
        store.ping()

    assert down.value.code == "folder_full"
    assert [file.name for file in (disk.folder / "pdfs").iterdir()] == []
    disk.free()
    store.ping()
    store.put("a", "x", bytes(84_000), replace=False, labels={})


def test_a_probe_leaves_room_for_the_largest_pdf_that_was_refused(small_disk: Callable[..., SmallDisk]) -> None:
    disk = small_disk(32 << 20)
    store = LocalFolder(disk.folder)
    disk.fill(leave=6 << 20)
    store.ping()
    with pytest.raises(DependencyDown):
        store.put("a", "x", bytes(9 << 20), replace=False, labels={})

    with pytest.raises(DependencyDown):  # a small one would fit, but that is not what has failed
        store.ping()

    disk.fill(leave=12 << 20)
    store.ping()
    store.put("a", "x", bytes(9 << 20), replace=False, labels={})


def test_one_pdf_that_no_disk_of_this_size_takes_stops_no_others(small_disk: Callable[..., SmallDisk]) -> None:
    store = LocalFolder(small_disk(1 << 20).folder)
    with pytest.raises(DependencyDown):
        store.put("a", "x", bytes(2 << 20), replace=False, labels={})

    store.ping()
    store.put("b", "x", bytes(84_000), replace=False, labels={})


def test_a_probe_costs_no_space_and_next_to_no_writing(small_disk: Callable[..., SmallDisk]) -> None:
    disk = small_disk(32 << 20)
    store = LocalFolder(disk.folder)
    before = disk.left()
    for _ in range(20):
        store.ping()
    assert disk.left() == before
    assert list(disk.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "code", "waits"),
    [
        (errno.ENOSPC, "folder_full", True), (errno.EDQUOT, "folder_full", True),
        (errno.EROFS, "folder_unavailable", True), (errno.EACCES, "folder_unavailable", True),
        (errno.EPERM, "folder_unavailable", True), (errno.EIO, "folder_unavailable", True),
        (errno.ESTALE, "folder_unavailable", True), (errno.ENFILE, "folder_unavailable", True),
        (errno.EMFILE, "temporary_failure", False), (errno.ENOMEM, "temporary_failure", False),
    ],
)  # fmt: skip
def test_what_the_whole_folder_refuses_waits_and_what_this_process_lacks_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str, waits: bool
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "mkstemp", refused)
    store = LocalFolder(tmp_path)
    for act in (store.ping, lambda: store.put("a", "x", b"pdf", replace=False, labels={})):
        with pytest.raises(Transient) as error:
            act()
        assert (error.value.code, isinstance(error.value, DependencyDown)) == (code, waits)
        assert os.strerror(number) in error.value.detail
        assert str(tmp_path) in error.value.detail


def test_a_read_only_folder_is_met_by_the_probe(small_disk: Callable[..., SmallDisk]) -> None:
    disk = small_disk(1 << 20)
    store = LocalFolder(disk.folder)
    subprocess.run(["mount", "-o", "remount,ro", str(disk.folder)], check=True)
    with pytest.raises(DependencyDown, match="Read-only file system"):
        store.ping()


def test_a_folder_that_cannot_be_made_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = LocalFolder(tmp_path / "file" / "below")

    for act in (
        store.ping,
        lambda: store.put("a", "x", b"pdf", replace=False, labels={}),
        lambda: store.put("a", "x", b"pdf", replace=True, labels={}),
        lambda: store.read("a"),
        lambda: store.delete("a"),
    ):
        with pytest.raises(DependencyDown) as down:
            act()
        assert down.value.dependency == "folder"


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    store = LocalFolder(tmp_path / "new")

    store.put("a", "x", b"pdf", replace=False, labels={})

    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new" / "a.pdf").stat().st_mode & 0o077 == 0


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    store = LocalFolder(tmp_path)

    store.put("a", "x", b"first", replace=False, labels={})
    store.put("a", "x", b"second", replace=False, labels={})

    assert b"".join(store.read("a")) == b"first"
    assert len(list(tmp_path.iterdir())) == 1
