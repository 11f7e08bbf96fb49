"""Erlang for private nodes: which installation is run, and a port mapper of their own."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from typing import ClassVar

from ops.servers.other_debian import inside
from ops.servers.process import Server, listening

ROOT = os.environ.get("TEST_RABBITMQ_ROOT")  # of another Debian, whose RabbitMQ and Erlang are to be run


class Epmd(Server):
    """Erlang's port mapper, on a port of its own: the machine's and its nodes are not touched.

    All nodes of this process share it, since the nodes of a cluster must find each other. It lives until the last of
    them is stopped: killing a node must not take the others' mapper away.
    """

    name = "epmd"
    _shared: ClassVar[Epmd | None] = None
    _users: ClassVar[set[str]] = set()
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def command(self) -> list[str]:
        return inside(ROOT, "epmd", "-port", str(self.port), "-address", "127.0.0.1")

    def answers(self) -> bool:
        return listening(self.port)

    @classmethod
    def use(cls, node: str) -> int:
        """The port of the shared mapper, started for its first user."""
        with cls._lock:
            if cls._shared is None or not cls._shared.running:
                cls._shared = Epmd(tempfile.mkdtemp(prefix="reportq-epmd-")).start()
            cls._users.add(node)
            return cls._shared.port

    @classmethod
    def leave(cls, node: str) -> None:
        """End the mapper after its last user."""
        with cls._lock:
            cls._users.discard(node)
            if cls._shared is not None and not cls._users:
                cls._shared.stop()
                shutil.rmtree(cls._shared.folder)
                cls._shared = None
