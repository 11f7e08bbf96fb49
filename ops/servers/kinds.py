"""Two kinds of private servers: one is asked over HTTP whether it does its work, one is a module of ours."""

import os
import sys
from pathlib import Path

from ops.servers.loopback_http import call
from ops.servers.process import Server

REPOSITORY = Path(__file__).parents[2]


class HttpServer(Server):
    """A server that says over HTTP, at the path `ready`, whether it does its work."""

    ready = "/-/ready"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        return call("GET", self.url + self.ready).ok


class ModuleServer(Server):
    """A server that is a module of ours, run as `python -m MODULE FOLDER PORT`."""

    module = ""

    def command(self) -> list[str]:
        return [sys.executable, "-m", self.module, str(self.folder), str(self.port)]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}
