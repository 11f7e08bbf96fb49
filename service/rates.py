"""How often a key may call: one token bucket per key, shared by the API's processes on this host.

The buckets lie in a small file that all processes map. A request costs two system calls and no query.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import struct
import threading
import time
import zlib
from pathlib import Path

_SLOTS = 4096
_SLOT = struct.Struct("=dd")  # tokens, monotonic moment of the last change


class RateLimits:
    """Buckets that hold a minute's requests and fill evenly. Two keys may share a slot by chance (1 in 4096)."""

    def __init__(self, run_dir: str) -> None:
        folder = Path(run_dir)
        folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(folder / "rates", os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self._file).st_size < _SLOTS * _SLOT.size:
            os.ftruncate(self._file, _SLOTS * _SLOT.size)
        self._map = mmap.mmap(self._file, _SLOTS * _SLOT.size)
        self._mutex = threading.Lock()

    def spend(self, key_id: str, per_minute: int) -> float:
        """Take one request and return 0, or return the whole seconds until one is free again."""
        return self._change(key_id, per_minute, 1.0, least=1.0)

    def owe(self, key_id: str, per_minute: int, cost: int) -> None:
        """Take `cost` more, whatever is left: a batch passes whole, and whoever follows waits for it."""
        self._change(key_id, per_minute, float(cost), least=-math.inf)

    def _change(self, key_id: str, per_minute: int, cost: float, least: float) -> float:
        if per_minute <= 0:
            return 0.0
        offset = zlib.crc32(key_id.encode()) % _SLOTS * _SLOT.size
        with self._mutex:
            fcntl.lockf(self._file, fcntl.LOCK_EX, _SLOT.size, offset)
            try:
                tokens, changed = _SLOT.unpack_from(self._map, offset)
                now = time.monotonic()
                # An empty slot, or a moment from before the last boot: the bucket is full.
                fresh = not 0 < changed <= now
                tokens = per_minute if fresh else min(per_minute, tokens + (now - changed) * per_minute / 60)
                wait = max(0.0, (least - tokens) * 60 / per_minute)
                _SLOT.pack_into(self._map, offset, tokens if wait else tokens - cost, now)
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, _SLOT.size, offset)
        return float(math.ceil(wait))

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        os.close(self._file)
