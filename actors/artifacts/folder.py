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

from schema.errors import DependencyDown, Permanent

CHUNK = 256 * 1024  # bytes per read
LEFTOVER_AGE = 3600.0  # seconds after which a temporary file has lost its writer for certain
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}")
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class LocalFolder:
    """`<folder>/<artifact id>.pdf`, readable by the owner only; labels are not kept (the job's row has them).

    A file appears under its name only when its bytes are on the disk: temporary file in the same folder,
    fsync, then link (which refuses to replace) or rename (which replaces), then fsync of the folder.
    """

    dependency = "folder"

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()

    def reserve(self) -> str:
        return str(ULID())

    def put(
        self, artifact_id: str, filename: str, pdf: bytes, *, replace: bool, labels: Mapping[str, str]
    ) -> str | None:
        final = self._path(artifact_id)
        with self._outages("store the PDF in"):
            if not replace and final.exists():
                _sync_folder(self.folder)  # its writer may have died before this
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
        """Write and remove a small file; on the way remove what killed writers left behind."""
        with self._outages("write to"):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.unlink(self._write("ping", b"ping"))
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

    def _write(self, artifact_id: str, content: bytes) -> str:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{artifact_id}.", suffix=".tmp", dir=self.folder)
        try:
            with open(descriptor, "wb") as file:
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
            reason = error.strerror or type(error).__name__
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise DependencyDown(
                "folder",
                f"Could not {action} the folder {self.folder}: {reason}.",
                code="folder_full" if full else None,
            ) from error


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
        # No hard links here (exFAT, some network mounts). A race of two writers of one job may then replace
        # the first file by an equal one; neither is ever seen half.
        if not final.exists():
            os.replace(temporary, final)


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
