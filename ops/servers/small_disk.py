"""A disk of a few megabytes that can be filled and freed: a tmpfs, which needs the right to mount (root)."""

import errno
import os
import subprocess
from pathlib import Path
from typing import Self


class SmallDisk:
    """Mounted while the `with` lasts, unmounted whatever happens in it. `size` is in bytes."""

    def __init__(self, folder: Path | str, size: int) -> None:
        self.folder = Path(folder).resolve()
        self._size = size
        self._ballast = self.folder / ".ballast"

    def fill(self, leave: int = 0) -> None:
        """Take every byte that is free but `leave`."""
        self.free()
        with self._ballast.open("wb", buffering=0) as ballast:
            block = bytes(1 << 20)
            while True:
                try:
                    ballast.write(block)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    if len(block) == 1:
                        break
                    block = block[: len(block) // 2]
            ballast.truncate(max(0, ballast.tell() - leave))

    def free(self) -> None:
        """Give it all back."""
        self._ballast.unlink(missing_ok=True)

    def left(self) -> int:
        """Bytes that are free."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def __enter__(self) -> Self:
        """Mount it; raises CalledProcessError where that is refused."""
        self.folder.mkdir(parents=True, exist_ok=True)
        options = f"size={self._size},mode=0755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "reportq", str(self.folder)], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        """At once, for processes that still have files open there too."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
