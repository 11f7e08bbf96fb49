"""A private Redis, for comparisons with queues that need one; reportq itself does not."""

import socket
from pathlib import Path

from ops.servers.process import Server


class Redis(Server):
    """Every write is on disk before it is answered, so that comparisons are fair."""

    name = "redis"
    package = "redis-server"

    def __init__(self, folder: Path | str, *, durable: bool = True) -> None:
        super().__init__(folder)
        self.durable = durable

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        synced = "always" if self.durable else "everysec"
        places = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        return ["redis-server", *places, "--appendonly", "yes", "--appendfsync", synced, "--save", ""]

    def answers(self) -> bool:
        return self.ask("PING") == "+PONG"

    def ask(self, *words: str) -> str:
        """One command, one line of answer: enough for readiness and for tests without a client library."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(" ".join(words).encode() + b"\r\n")
            with connection.makefile("r", newline="\r\n") as answer:
                line = answer.readline().rstrip("\r\n")
                return answer.readline().rstrip("\r\n") if line.startswith("$") and line != "$-1" else line
