"""PDFs as files of one folder, each written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from ulid import ULID

from schema.errors import DependencyDown, Permanent, Transient

CHUNK = 256 * 1024  # Bytes per read.
LARGE = 4 * 1024 * 1024  # Bytes of a large PDF. A folder without room for one is full.
LEFTOVER_AGE = 3600.0  # Seconds after which the writer of a temporary file is certainly gone.
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}")
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
# When the system refuses a file, no report is at fault, so jobs wait until a person acts. There may be no room (full
# disk, quota), or the folder is unusable (read-only, no permission, unmounted, a failing disk). What only this process
# has used up pauses nothing: it costs the job a try, and another worker makes the next one.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_OURS = frozenset({errno.EMFILE, errno.ENOMEM})


class LocalFolder:
    """`<folder>/<artifact id>.pdf`, readable by the owner only; labels are not kept (the job's row has them).

    A file appears under its name only when its bytes are on the disk. It is written as a temporary file in the same
    folder and synced. A link (which does not replace) or a rename (which replaces) gives it its name; then the folder
    is synced.
    """

    dependency = "folder"

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()
        self._largest = 0  # bytes of the largest PDF this process has tried to store

    def reserve(self) -> str:
        return str(ULID())

    def put(
        self, artifact_id: str, filename: str, pdf: bytes, *, replace: bool, labels: Mapping[str, str]
    ) -> str | None:
        final = self._path(artifact_id)
        self._largest = max(self._largest, len(pdf))
        with self._outages("store the PDF in"):
            if not replace and final.exists():
                _sync_folder(self.folder)  # its writer may have died before it did so
                return None
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self._write(artifact_id, pdf)
            try:
                if replace:
                    os.replace(temporary, final)
                else:
                    _publish_once(temporary, final)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)
            _sync_folder(self.folder)
        return None

    def read(self, artifact_id: str) -> Iterator[bytes]:
        path = self._path(artifact_id)
        with self._outages("read the PDF from"):
            try:
                return _Chunks(path.open("rb"))
            except FileNotFoundError:
                raise Permanent("The PDF is no longer stored.", code="artifact_gone", artifact_id=artifact_id) from None

    def delete(self, artifact_id: str) -> None:
        path = self._path(artifact_id)
        with self._outages("delete the PDF from"):
            path.unlink(missing_ok=True)

    def ping(self) -> None:
        """Make room for a large PDF, begin to write it, and remove it: a job would do the same.

        Temporary files that killed writers left behind are removed too.
        """
        with self._outages("write a large PDF to"):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.unlink(self._write("ping", os.urandom(CHUNK // 4), room=self._needed()))
            _sync_folder(self.folder)
            for leftover in self.folder.glob(".*.tmp"):
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - leftover.stat().st_mtime > LEFTOVER_AGE:
                        leftover.unlink()

    def close(self) -> None:
        """Nothing is kept open."""

    def _path(self, artifact_id: str) -> Path:
        # Ids come from rows, and rows can be wrong: an id never leads out of the folder.
        if not _ID.fullmatch(artifact_id):
            raise Permanent("The artifact id is malformed.", code="artifact_id_invalid", artifact_id=artifact_id[:100])
        return self.folder / f"{artifact_id}.pdf"

    def _needed(self) -> int:
        """Bytes that must be free: for a large PDF or the largest one so far, but at most half of a tiny disk."""
        disk = os.statvfs(self.folder)
        return min(max(LARGE, self._largest), disk.f_blocks * disk.f_frsize // 2)

    def _write(self, artifact_id: str, content: bytes, *, room: int = 0) -> str:
        """A temporary file of these bytes, on the disk; `room` is how many bytes to allocate in all, without writing them."""
        descriptor, temporary = tempfile.mkstemp(prefix=f".{artifact_id}.", suffix=".tmp", dir=self.folder)
        try:
            with open(descriptor, "wb") as file:
                if room:
                    os.posix_fallocate(file.fileno(), 0, room)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        return temporary

    @contextlib.contextmanager
    def _outages(self, action: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            said = f"Could not {action} the folder {self.folder}: {error.strerror or type(error).__name__}."
            if error.errno in _OURS:
                raise Transient(said) from error
            raise DependencyDown("folder", said, code="folder_full" if error.errno in _NO_ROOM else None) from error


class _Chunks:
    """The bytes of an open file; closes it at the end, when asked to, and when forgotten."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __iter__(self) -> _Chunks:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = b"" if self._file.closed else self._file.read(CHUNK)
        except OSError as error:
            self.close()
            raise DependencyDown("folder", f"The stored PDF could not be read: {error.strerror}.") from error
        if not chunk:
            self.close()
            raise StopIteration
        return chunk

    def close(self) -> None:
        self._file.close()

    def __del__(self) -> None:
        self.close()


def _publish_once(temporary: str, final: Path) -> None:
    """Give the file its name unless the name is taken; the first writer's file stays."""
    try:
        os.link(temporary, final)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # No hard links here (exFAT, some network mounts). Of two writers of one job, the second may then replace the
        # first one's file by an equal one. Neither is ever seen half written.
        if not final.exists():
            os.replace(temporary, final)


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
