"""Named numbers of one process in a file that others read. They are written at once, and the file is never mapped.

A write into a mapped file ends the process (SIGBUS) when the disk fails or is full, or when the file is truncated. A write
by `pwrite` only fails. The format is prometheus_client's own for many processes.
"""

import fcntl
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog
from prometheus_client import mmap_dict

log = structlog.get_logger()

_SLOTS = 4096  # more processes than any host runs

_HEAD = struct.Struct("=i4x")  # bytes in use, this head included
_LENGTH = struct.Struct("=i")  # of the key that follows
_VALUE = struct.Struct("=dd")  # the value, and for some the moment it was set at
_read: Callable[[str], Iterator[tuple[str, float, float, int]]] = mmap_dict.MmapedDict.read_all_values_from_file
key_of: Callable[..., str] = mmap_dict.mmap_key  # metric, sample, label names, label values, help


class ValueFile:
    """The values are in memory, and each change goes to the file. What the disk refuses is held for `catch_up`.

    Not thread safe. Raises OSError when the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._places: dict[str, int] = {}
        self._image = bytearray(_HEAD.pack(_HEAD.size))
        self._grown = True  # there is more than the file has entries for
        self.behind = False  # the disk has refused something
        if is_whole(path):
            self._places = {key: place for key, _, _, place in _read(str(path))}
            used = max(self._places.values(), default=_HEAD.size - _VALUE.size) + _VALUE.size
            self._image[_HEAD.size :] = os.pread(self._file, used - _HEAD.size, _HEAD.size)

    def place(self, key: str) -> int:
        """The place of a key's value; a new key begins with 0."""
        if key not in self._places:
            text = key.encode()
            padding = b" " * (8 - (_LENGTH.size + len(text)) % 8)
            self._image += _LENGTH.pack(len(text)) + text + padding + _VALUE.pack(0.0, 0.0)
            self._places[key] = len(self._image) - _VALUE.size
            self._grown = True
        return self._places[key]

    def value(self, place: int) -> float:
        """The value at that place."""
        return float(_VALUE.unpack_from(self._image, place)[0])

    def set(self, values: Sequence[tuple[int, float]], moment: float = 0.0) -> None:
        """Set values by their places, the lowest first; OSError when the disk refuses them. They are held then."""
        for place, value in values:
            _VALUE.pack_into(self._image, place, value, moment)
        if self.behind:
            return
        self.behind = True  # if anything interrupts us here, everything is written again
        if self._grown:
            self.catch_up()
        else:
            self._write(values[0][0], values[-1][0] + _VALUE.size)
        self.behind = False

    def catch_up(self) -> None:
        """Write everything that is held; OSError while the disk refuses it.

        The head tells how many entries there are. It is written last, so a reader never meets half an entry.
        """
        self._write(_HEAD.size, len(self._image))
        _HEAD.pack_into(self._image, 0, len(self._image))
        self._write(0, _HEAD.size)
        self._grown = self.behind = False

    def _write(self, first: int, last: int) -> None:
        while first < last:  # a disk that is nearly full takes a part
            first += os.pwrite(self._file, self._image[first:last], first)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def is_whole(path: Path) -> bool:
    """Whether the file can be read to its end; False for one that was half written when the power was cut."""
    try:
        for _ in _read(str(path)):
            pass
    except (RuntimeError, ValueError, struct.error, OSError):
        return False
    return True


def take_slot(folder: Path) -> tuple[int, int]:
    """The lowest free slot and the file descriptor that holds it."""
    for number in range(_SLOTS):
        lock = os.open(folder / f"slot_{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number, lock
        except BlockingIOError:
            os.close(lock)
        except BaseException:
            os.close(lock)
            raise
    raise OSError(f"no free slot in {folder}")


def open_file(path: Path) -> ValueFile:
    """The file as it was left. A torn file begins anew."""
    if path.exists() and not is_whole(path):
        if path.stat().st_size:
            log.warning("metrics.file_torn", file=path.name)
        path.unlink()
    return ValueFile(path)
