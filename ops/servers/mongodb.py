"""A private server that speaks MongoDB's wire protocol (SecantusDB: tests and trials only)."""

import sys
from pathlib import Path
from typing import Self

import pymongo
import pymongo.errors

from ops.servers.process import Server, ServerFailed, listening, password


class MongoWire(Server):
    """`url` names the database `workflow` and a user who has these rights to it (`read`: no writing), and nothing else."""

    name = "mongodb"
    not_yet = (OSError, pymongo.errors.PyMongoError)

    def __init__(self, folder: Path | str, rights: str = "readWrite") -> None:
        super().__init__(folder)
        self.rights = rights
        self.user, self.password = "reportq", self.kept("password", password)
        self.database = "workflow"
        self._known = self.folder / "user-made"  # the user was created: from now on nobody enters without a password

    @property
    def url(self) -> str:
        return self.at(self.port)

    def at(self, port: int) -> str:
        """The application's URL through another port (a proxy's), which the driver then does not leave."""
        route = "?directConnection=true" if port != self.port else ""
        return f"mongodb://{self.user}:{self.password}@127.0.0.1:{port}/{self.database}{route}"

    def command(self) -> list[str]:
        program = Path(sys.executable).parent / "secantusd-py"
        if not program.exists():
            raise ServerFailed(f"{program} is missing: pip install -r tests/requirements.txt")
        return [
            str(program), "--host", "127.0.0.1", "--port", str(self.port), "--cache-size", "128M",
            "--storage-path", str(self.folder / "documents"), *(["--auth"] if self._known.exists() else []),
        ]  # fmt: skip

    def start(self, timeout: float = 60) -> Self:
        super().start(timeout)
        if not self._known.exists():
            with self._open(f"mongodb://127.0.0.1:{self.port}/") as client:
                role = {"role": self.rights, "db": self.database}
                client[self.database].command("createUser", self.user, pwd=self.password, roles=[role])
            self.stop()
            self._known.touch()
            super().start(timeout)
        return self

    def answers(self) -> bool:
        if not listening(self.port):
            return False
        with self._open(self.url if self._known.exists() else f"mongodb://127.0.0.1:{self.port}/") as client:
            return bool(client[self.database].command("ping"))

    def _open(self, url: str) -> pymongo.MongoClient[dict[str, object]]:
        return pymongo.MongoClient(url, timeoutMS=5000)
