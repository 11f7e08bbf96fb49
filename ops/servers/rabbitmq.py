"""A private RabbitMQ node with management, Prometheus and shovel plugins; several can form a cluster."""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pika

from ops.servers.epmd import ROOT, Epmd
from ops.servers.loopback_http import call, told
from ops.servers.other_debian import inside
from ops.servers.packages import need
from ops.servers.process import Server, filled, free_port, listening, output_of, password, wait_until, write_private

BIN = Path("/usr/lib/rabbitmq/bin")  # past Debian's wrapper, which changes the user and the folder
PRODUCTION = Path(__file__).parent.parent / "rabbitmq"
COOKIE = secrets.token_hex(16)  # one for all nodes of this process: nodes with different ones cannot form a cluster


def version(root: Path) -> str:
    """Of the RabbitMQ that Debian's package has put below `root`."""
    (home,) = (root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")
    return home.name.partition("-")[2]


class RabbitMQ(Server):
    """One node. `user` may do what the application needs and no more; `admin` is for the UI and the tests."""

    name = "rabbitmq"
    root = ROOT  # of the installation that is run; None: this machine's

    def __init__(self, folder: Path | str, settings: Mapping[str, str] | None = None) -> None:
        """`settings` are lines of rabbitmq.conf beside, or instead of, the shipped ones."""
        super().__init__(folder)
        if self.root is None:
            need("rabbitmq-server")
        self.settings = dict(settings or {})
        self.management_port = self.kept("management_port", free_port)
        self.prometheus_port = self.kept("prometheus_port", free_port)
        self.dist_port = self.kept("dist_port", free_port)
        self.node = self.kept("node", lambda: f"reportq_{secrets.token_hex(4)}@localhost")
        self.user, self.password = "reportq", self.kept("password", password)
        self.admin, self.admin_password = "admin", self.kept("admin_password", password)
        self._epmd_port = 0

    @property
    def amqp_url(self) -> str:
        return self.at(self.port)

    @property
    def admin_url(self) -> str:
        """AMQP as the administrator: for tests that look into any queue."""
        return f"amqp://{self.admin}:{self.admin_password}@127.0.0.1:{self.port}/%2F"

    @property
    def management_url(self) -> str:
        """The page for people; log in as `admin`."""
        return f"http://127.0.0.1:{self.management_port}"

    @property
    def prometheus_url(self) -> str:
        return f"http://127.0.0.1:{self.prometheus_port}/metrics"

    def at(self, port: int) -> str:
        """The application's URL through another port (a proxy's)."""
        return f"amqp://{self.user}:{self.password}@127.0.0.1:{port}/%2F"

    def command(self) -> list[str]:
        return inside(self.root, str(BIN / "rabbitmq-server"))

    def environment(self) -> dict[str, str]:
        return filled(Path(__file__).with_suffix(".env"), vars(self))

    def prepare(self) -> None:
        self._epmd_port = Epmd.use(self.node)
        cookie = self.folder / ".erlang.cookie"
        cookie.unlink(missing_ok=True)
        write_private(cookie, COOKIE)
        (self.folder / "enabled_plugins").write_text((PRODUCTION / "enabled_plugins").read_text())
        self.write_definitions()
        own = filled(Path(__file__).with_suffix(".conf"), vars(self)) | self.settings
        shipped = (PRODUCTION / "rabbitmq.conf").read_text().splitlines()
        lines = [line for line in shipped if line.partition("=")[0].strip() not in own]
        lines += [f"{key} = {value}" for key, value in own.items()]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")

    def write_definitions(self) -> None:
        """Users and queues, imported at each start."""
        text = (PRODUCTION / "definitions.json").read_text()
        for name, value in (("ADMIN", self.admin_password), ("REPORTQ", self.password)):
            text = text.replace(f"@{name}_PASSWORD@", value)
        write_private(self.folder / "definitions.json", text)

    def answers(self) -> bool:
        if not listening(self.port):
            return False
        url = f"{self.management_url}/api/health/checks/local-alarms"
        return call("GET", url, auth=(self.admin, self.admin_password), timeout=5).status_code == 200

    def stop(self, timeout: float = 30) -> None:
        super().stop(timeout)
        Epmd.leave(self.node)

    def __exit__(self, *_: object) -> None:
        """Kill: the orderly end waits five seconds for its statistics and loses no less."""
        self.kill()
        self.stop()

    def ctl(self, *arguments: str, timeout: float = 60) -> str:
        """Run `rabbitmqctl` on this node; ServerFailed holds its complaint."""
        command = inside(self.root, str(BIN / "rabbitmqctl"), "--node", self.node, *arguments)
        environment = {**os.environ, **self.environment()}
        return output_of(command, f"rabbitmqctl {' '.join(arguments)}", env=environment, timeout=timeout)

    def api(self, method: str, path: str, body: object = None) -> Any:
        """One call of the management API as administrator: the decoded answer, None when it is empty."""
        return told(method, f"{self.management_url}/api/{path}", json=body, auth=(self.admin, self.admin_password))

    def queues(self) -> dict[str, dict[str, Any]]:
        """All queues by name, as the management API shows them (`messages_ready` lags by up to a second)."""
        shown: list[dict[str, Any]] = self.api("GET", "queues/%2F")
        return {queue["name"]: queue for queue in shown}

    @contextlib.contextmanager
    def channel(self) -> Iterator[Any]:
        """A channel of pika's as administrator, on a connection of its own."""
        opened = pika.BlockingConnection(pika.URLParameters(f"{self.admin_url}?heartbeat=0"))
        with contextlib.closing(opened):
            yield opened.channel()

    def waiting(self, queue: str) -> int:
        """Messages that no consumer holds, as the broker itself counts them now (the management API lags seconds)."""
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def get_messages(self, queue: str, count: int = 1000) -> list[dict[str, Any]]:
        """What a person sees in the UI's message view: payload and properties; the messages stay there."""
        wanted = {"count": count, "ackmode": "ack_requeue_true", "encoding": "auto"}
        messages: list[dict[str, Any]] = self.api("POST", f"queues/%2F/{quote(queue, safe='')}/get", wanted)
        return messages

    def move(self, source: str, destination: str, timeout: float = 60) -> None:
        """What the UI's "Move messages" does: a shovel that ends once it has moved what was there."""
        name = f"move-{time.time_ns()}"
        uri = "amqp:///%2F"
        shovel = {
            "src-uri": uri, "src-protocol": "amqp091", "src-queue": source, "src-delete-after": "queue-length",
            "src-prefetch-count": 1000, "dest-uri": uri, "dest-protocol": "amqp091", "dest-queue": destination,
            "dest-add-forward-headers": False, "ack-mode": "on-confirm",
        }  # fmt: skip
        asked = {"component": "shovel", "vhost": "/", "name": name, "value": shovel}
        self.api("PUT", f"parameters/shovel/%2F/{name}", asked)

        def moved() -> bool:
            return all(kept["name"] != name for kept in self.api("GET", "parameters/shovel/%2F"))

        wait_until(moved, timeout, f"move from {source} to {destination}")

    def purge(self, queue: str) -> None:
        self.api("DELETE", f"queues/%2F/{quote(queue, safe='')}/contents")
