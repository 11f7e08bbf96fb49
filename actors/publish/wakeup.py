"""Wakes the relays of this host by a datagram after a commit; without it, they look after `relay_poll` seconds (DESIGN §2.1)."""

import contextlib
import errno
import os
import select
import socket
import time
from pathlib import Path

import structlog
from ulid import ULID

from schema.host.run_folder import sentence

log = structlog.get_logger()

_LOOK_EVERY = 1.0  # seconds between looks into the folder for relays


class Waker:
    """Sends an empty datagram to each relay that listens in the folder. It costs microseconds and never blocks or fails."""

    def __init__(self, run_dir: str) -> None:
        self._folder = Path(run_dir) / "wake"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._paths: list[str] = []
        self._looked_at = float("-inf")

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._looked_at > _LOOK_EVERY:
            self._looked_at = now
            try:
                self._paths = [entry.path for entry in os.scandir(self._folder)]
            except OSError:
                self._paths = []
        for path in self._paths:
            try:
                self._socket.sendto(b"", path)
            except OSError as error:
                if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
                    _remove(path)  # its relay is dead
                    self._looked_at = float("-inf")

    def close(self) -> None:
        self._socket.close()


class Listener:
    """A relay's ear: `wait` returns when a datagram comes, or after the timeout.

    When the folder takes no socket, no datagram comes and every wait lasts its whole time.
    """

    def __init__(self, run_dir: str) -> None:
        folder = Path(run_dir) / "wake"
        self._path = str(folder / f"{str(ULID())[-8:]}")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # A socket's path may have 107 bytes. A longer one goes through the descriptor of its folder.
            if len(self._path) > 100:
                self._directory = os.open(folder, os.O_RDONLY)
                self._socket.bind(f"/proc/self/fd/{self._directory}/{Path(self._path).name}")
            else:
                self._socket.bind(self._path)
        except OSError as error:
            log.warning("relay.not_woken", folder=run_dir, detail=sentence(run_dir, error))

    def wait(self, seconds: float) -> bool:
        """Whether a datagram came within `seconds`."""
        readable, _, _ = select.select([self._socket], [], [], seconds)
        if not readable:
            return False
        try:
            while True:
                self._socket.recv(16)
        except BlockingIOError:
            return True

    def close(self) -> None:
        self._socket.close()
        _remove(self._path)


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
