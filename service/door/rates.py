"""How often a key may call: one token bucket per key, shared by the API's processes on this host.

The buckets lie in a small file that all processes read and write. A request costs four system calls and no query. When
the run folder is full, each process counts for itself: the limits are looser, and no request fails.
"""

import contextlib
import fcntl
import math
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import structlog

from schema.host.run_folder import sentence

log = structlog.get_logger()

_SLOTS = 4096
_SLOT = struct.Struct("=dd")  # tokens, monotonic moment of the last change


class RateLimits:
    """Buckets that hold a minute's requests and fill evenly. Two keys may share a slot by chance (1 in 4096)."""

    def __init__(self, run_dir: str) -> None:
        self._run_dir = run_dir
        self._file: int | None = None
        self._own: dict[int, bytes] = {}  # slots that the file does not take
        self._told = False
        self._mutex = threading.Lock()
        try:
            Path(run_dir).mkdir(parents=True, exist_ok=True)
            self._file = os.open(Path(run_dir) / "rates", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._tell(error)

    def spend(self, key_id: str, per_minute: int) -> float:
        """Take one request and return 0, or return the whole seconds until one is free again."""
        return self._change(key_id, per_minute, 1.0, least=1.0)

    def owe(self, key_id: str, per_minute: int, cost: int) -> None:
        """Take `cost` more, even if less is left: a batch passes whole, and later requests wait for it."""
        self._change(key_id, per_minute, float(cost), least=-math.inf)

    def _change(self, key_id: str, per_minute: int, cost: float, least: float) -> float:
        if per_minute <= 0:
            return 0.0
        offset = zlib.crc32(key_id.encode()) % _SLOTS * _SLOT.size
        with self._mutex, self._locked(offset):
            tokens, changed = _SLOT.unpack(self._read(offset))
            now = time.monotonic()
            # An empty slot, or a moment from before the last boot: the bucket is full.
            fresh = not 0 < changed <= now
            tokens = per_minute if fresh else min(per_minute, tokens + (now - changed) * per_minute / 60)
            wait = max(0.0, (least - tokens) * 60 / per_minute)
            self._write(offset, _SLOT.pack(tokens if wait else tokens - cost, now))
        return float(math.ceil(wait))

    @contextlib.contextmanager
    def _locked(self, offset: int) -> Iterator[None]:
        """Alone with a slot among all processes."""
        if self._file is None:
            yield
            return
        fcntl.lockf(self._file, fcntl.LOCK_EX, _SLOT.size, offset)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _SLOT.size, offset)

    def _read(self, offset: int) -> bytes:
        if offset in self._own:
            return self._own[offset]
        try:
            found = b"" if self._file is None else os.pread(self._file, _SLOT.size, offset)
        except OSError as error:
            self._tell(error)
            found = b""
        return found.ljust(_SLOT.size, b"\0")

    def _write(self, offset: int, slot: bytes) -> None:
        try:
            if self._file is not None and os.pwrite(self._file, slot, offset) == len(slot):
                self._own.pop(offset, None)
                return
        except OSError as error:
            self._tell(error)
        self._own[offset] = slot

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            log.warning("rates.kept_by_each_process", folder=self._run_dir, detail=sentence(self._run_dir, error))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
