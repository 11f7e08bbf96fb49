"""The image, built and run without a Docker engine: `ops/test image`.

buildah builds ops/Dockerfile on a base that debootstrap makes. That base stands in for the one that the Dockerfile
names, which no registry of packages has. Then every command of docker-compose.yml runs from the image, with private
servers. One job goes the whole way, a canary comes through, and a backup is made, verified and restored.
"""

import contextlib
import functools
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import requests
import yaml

from ops import credentials
from ops.debian13 import CERTIFICATES, debootstrapped
from ops.sample_report import PRODUCT, SAMPLE
from ops.servers.mariadb import MariaDB
from ops.servers.mongodb import MongoWire
from ops.servers.packages import cache, need
from ops.servers.process import Server, ServerFailed, free_port, output_of, wait_until
from ops.servers.rabbitmq import RabbitMQ
from ops.servers.receiver import Receiver

ROOT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
BASE = "docker.io/library/" + re.findall(r"^ARG BASE=(\S+)$", (ROOT / "ops/Dockerfile").read_text(), re.MULTILINE)[0]
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "reportq"}
LARGEST = 350e6  # bytes
UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists")


def buildah(*arguments: str) -> str:
    """What one command of buildah prints, on images of our own. Raises CalledProcessError after its complaint was shown."""
    return subprocess.run(_buildah(*arguments), check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _buildah(*arguments: str) -> list[str]:
    place = cache() / "images"
    return ["buildah", f"--root={place}/kept", f"--runroot={place}/run", "--storage-driver=vfs", *arguments]


def build() -> str:
    """A container of the image `reportq`, which is built anew; its name for buildah."""
    need("buildah")
    os.environ["BUILDAH_ISOLATION"] = "chroot"
    if BASE not in buildah("images", "--format={{.Name}}:{{.Tag}}").split():
        _base()
    with tempfile.TemporaryDirectory() as folder:
        trust = Path(folder) / "pip.conf"
        trust.write_text(f"[global]\ncert = {CERTIFICATES}\n")  # what this machine believes
        trusted = [f"--volume={trust}:/etc/pip.conf:ro", f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"]
        given = ["--pull-never", "--network=host", "--file=ops/Dockerfile", "--tag=reportq"]
        subprocess.run(_buildah("bud", *given, *trusted, "."), cwd=ROOT, check=True)
    return buildah("from", "--pull-never", "reportq")


def _base() -> None:
    """Debian with its own Python in place of the base that the Dockerfile names."""
    tree = debootstrapped("bookworm", "python3-pip", "ca-certificates")
    container = buildah("from", "scratch")
    left_out = " ".join(f"--exclude=./{folder}/*" for folder in UNNEEDED)
    copy = f'tar --directory="$0" {left_out} --create . | tar --directory="$1" --extract --same-owner --preserve-permissions'
    subprocess.run(["bash", "-o", "pipefail", "-c", copy, str(tree), buildah("mount", container)], check=True)
    buildah("umount", container)
    buildah("commit", "--rm", container, BASE)


class Composed(Server):
    """One service of docker-compose.yml in a container of its own: its command, environment, volumes; no rights."""

    def __init__(self, folder: Path, container: str, service: str, surroundings: dict[str, str]) -> None:
        self.name = service
        super().__init__(folder / service)
        self._container, self._shared, self._surroundings = container, folder, surroundings

    def command(self) -> list[str]:
        # Whatever it starts ends with it.
        alone = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        return [*alone, *self.run(*shlex.split(filled(OURS[self.name]["command"])))]

    def run(self, *command: str) -> list[str]:
        """A command in this service's container."""
        chosen = {name: filled(value) for name, value in OURS[self.name]["environment"].items()} | self._surroundings
        folders = {"secrets": "/run/secrets:ro", "run": "/run/reportq", "lib": "/var/lib/reportq", "tmp": "/tmp"}  # noqa: S108
        return _buildah(
            "run", "--user=reportq", "--cap-drop=ALL", "--network=host",
            *(f"--volume={self._shared / name}:{place}" for name, place in folders.items()),
            *(f"--env={name}={value}" for name, value in chosen.items()),
            self._container, "--", *command,
        )  # fmt: skip

    def answers(self) -> bool:
        return self.running


def filled(text: object) -> str:
    """Compose's `${NAME:-default}` with nothing set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(text))


def check(container: str, folder: Path) -> None:
    """Run every command of docker-compose.yml from the image, and what an operator runs in it; raises what went wrong."""
    with contextlib.ExitStack() as running:
        _walk(container, folder, running)


def _walk(container: str, folder: Path, running: contextlib.ExitStack) -> None:
    mariadb = running.enter_context(MariaDB(folder / "mariadb"))
    rabbitmq = running.enter_context(RabbitMQ(folder / "rabbitmq"))
    mongodb = running.enter_context(MongoWire(folder / "mongodb"))
    receiver = running.enter_context(Receiver(folder / "receiver"))
    made = credentials.make(folder / "secrets")
    for name, url in {"database": mariadb.url, "documents": mongodb.url, "broker": rabbitmq.amqp_url}.items():
        made[f"{name}_url"].write_text(url)
    (folder / "secrets" / "gdrive_credentials").write_text("{}")
    (folder / "secrets").chmod(0o755)
    for name in ("run", "lib", "tmp"):
        (folder / name).mkdir()
        shutil.chown(folder / name, 10001, 10001)
    folder.chmod(0o755)
    port, canary, metrics = free_port(), free_port(), free_port()
    # What compose's own network would give: names, and ports that nobody else has.
    surroundings = {
        **dict.fromkeys(("REPORTQ_HOST", "REPORTQ_METRICS_HOST", "REPORTQ_CANARY_HOST"), "127.0.0.1"),
        **dict.fromkeys(("REPORTQ_CANARY_API", "REPORTQ_PUBLIC_URL"), f"http://127.0.0.1:{port}"),
        "REPORTQ_PORT": str(port),
        "REPORTQ_METRICS_PORT": str(metrics),
        "REPORTQ_CANARY_PORT": str(canary),
        "REPORTQ_WEBHOOK_ALLOW": f"127.0.0.1:{canary},127.0.0.1:{receiver.port}",
    }
    programs = {name: Composed(folder, container, name, surroundings) for name in OURS}
    for program in programs.values():
        running.callback(program.kill)
        program.start()
    api = programs["api"]

    def asked(program: Composed, *command: str) -> str:
        try:
            return output_of(program.run(*command), shlex.join(command))
        except ServerFailed as failed:
            raise RuntimeError(f"{failed}\n{program.tail()}") from None

    places = {":8000/": f":{port}/", ":9191/": f":{metrics}/", "'canary', 9192": f"'127.0.0.1', {canary}"}

    def health(service: str) -> list[str]:
        test = OURS[service]["healthcheck"]["test"][1:]
        return [functools.reduce(lambda word, place: word.replace(*place), places.items(), word) for word in test]

    def ready() -> bool:
        return subprocess.run(api.run(*health("api")), stderr=subprocess.DEVNULL, check=False).returncode == 0

    wait_until(ready, 120, "the API answers")
    keys = dict(entry.split(":")[::2] for entry in made["api_keys"].read_text().split(","))
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {keys['n8n']}"
        body = {"code": "K1", "productId": PRODUCT, "callback": receiver.url(), "data": json.loads(SAMPLE.read_text())}
        url = f"http://127.0.0.1:{port}/api"
        answer = session.post(f"{url}/reports/generate-async", json=body, timeout=30)
        answer.raise_for_status()
        receiver.wait_posts(1, timeout=90)
        pdf = session.get(f"{url}/jobs/{answer.json()['job_id']}/download", timeout=30).content
    if not pdf.startswith(b"%PDF"):
        raise RuntimeError(f"no PDF: {pdf[:200]!r}")
    through = "SELECT COUNT(*) FROM deliveries WHERE status='delivered'"
    wait_until(lambda: mariadb.query(through) >= [(2,)], 120, "the canary is told")
    for name, program in programs.items():
        asked(program, *health(name))
    reportq, backup = ("python", "-m", "ops.cli"), "/var/lib/reportq/backup"
    print(asked(api, *reportq, "status"))
    print(asked(api, *reportq, "backup", "make", backup, "--verify"))
    for program in programs.values():
        if not program.running:
            raise RuntimeError(f"{program.name} ended:\n{program.tail()}")
        program.kill()
    mariadb.query("DROP DATABASE reportq")
    mariadb.restart()  # it makes an empty one
    print(asked(api, *reportq, "backup", "restore", backup, "--yes"))
    if mariadb.query(through) < [(2,)]:
        raise RuntimeError("the restored database has not the jobs of the first")
    command = ["find", buildah("mount", container), "-xdev", "-uid", "10001", "-type", "f"]
    if strays := subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout:
        raise RuntimeError(f"written into the image: {strays}")
    asked(api, "python", "-c", "import importlib.util as i, sys; sys.exit(i.find_spec('pytest') is not None)")


def test() -> bool:
    """Build, measure and run; shows sizes. What was built is taken away, the base is kept for the next time."""
    container = build()
    try:
        size = int(subprocess.check_output(["du", "-sb", buildah("mount", container)]).split()[0])
        print(f"The image holds {size / 1e6:.0f} MB; at most {LARGEST / 1e6:.0f} are allowed.", flush=True)
        with tempfile.TemporaryDirectory(prefix="reportq-") as folder:
            check(container, Path(folder))
    except RuntimeError as wrong:
        print(wrong)
        return False
    finally:
        buildah("rm", container)
        buildah("rmi", "--force", "reportq")
        buildah("rmi", "--prune", "--force")
    return size <= LARGEST
