"""Production's programs under supervisor, started from this checkout, and its XML-RPC interface."""

import os
import sys
import xmlrpc.client
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from supervisor.xmlrpc import SupervisorTransport

from ops.processes import full_name
from ops.servers.process import Server, listens

ROOT = Path(__file__).resolve().parents[2]


class Supervised(Server):
    """Supervisor with the programs of ops/supervisord.conf; ready when jobs would be worked on."""

    name = "supervisord"

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        port: int,
        modules: Mapping[str, str],
        variables: Mapping[str, Mapping[str, str]],
    ) -> None:
        super().__init__(folder)
        self._environ = dict(environ)
        self._port = port
        self._modules = dict(modules)
        self._variables = {program: dict(chosen) for program, chosen in variables.items()}
        self._config = self.folder / "supervisord.conf"

    def prepare(self) -> None:
        """The shipped configuration, with other entry modules and variables in it where they are wanted."""
        text = (ROOT / "ops" / "supervisord.conf").read_text().replace("%(here)s/..", str(ROOT))
        for shipped, other in self._modules.items():
            if shipped not in text:
                raise ValueError(f"ops/supervisord.conf starts no {shipped}")
            text = text.replace(shipped, other)
        for program, chosen in self._variables.items():
            line = "environment=" + ",".join(f'{name}="{value}"' for name, value in chosen.items())
            text = text.replace(f"[program:{program}]\n", f"[program:{program}]\n{line}\n")
        self._config.write_text(text)

    def command(self) -> list[str]:
        return [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config)]

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        places = (self._environ.get("PYTHONPATH"), str(ROOT))
        return {**self._environ, "PATH": path, "PYTHONPATH": os.pathsep.join(filter(None, places))}

    def answers(self) -> bool:
        """Our API is ready and a worker serves each queue."""
        answer = requests.get(f"http://127.0.0.1:{self._port}/readyz", headers=first_key(self._environ), timeout=15)
        ready = answer.status_code == 200 and "workers" not in answer.json()["down"]
        return ready and listens(self.processes(), self._port)

    def _ask(self, method: str, *arguments: Any) -> Any:
        """One call of supervisor's XML-RPC interface; its socket is reached through its folder: a deep path does no harm."""
        folder = os.open(self._environ["REPORTQ_RUN_DIR"], os.O_RDONLY)
        try:
            transport = SupervisorTransport(None, None, f"unix:///proc/self/fd/{folder}/supervisor.sock")
            with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        finally:
            os.close(folder)

    def pid_of(self, program: str) -> int:
        """The process id of a program; 0 while it does not run."""
        return int(self._ask("getProcessInfo", full_name(program))["pid"])

    def names(self) -> list[str]:
        """Every program's name."""
        return [str(info["name"]) for info in self._ask("getAllProcessInfo")]

    def begin(self, program: str) -> None:
        """Start a program; returns once it runs."""
        self._ask("startProcess", full_name(program))

    def end(self, program: str) -> None:
        """Stop a program in order; returns once it is gone."""
        self._ask("stopProcess", full_name(program))


def first_key(environ: Mapping[str, str]) -> dict[str, str]:
    """The header with the first configured API key, if there is one."""
    first = environ.get("REPORTQ_API_KEYS", "").split(",")[0]
    return {"X-API-Key": first.split(":", 2)[2]} if first else {}
