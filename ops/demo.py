"""`ops/run`: one sample report travels the whole way, and every step is shown.

    python -m ops.demo [--once] [--port N] [--servers]

Without --servers: the embedded default, one gunicorn process with everything inside, files under var/. With it: private
RabbitMQ, MariaDB, a MongoDB-wire server and a local double of Google Drive, and the processes of production under
supervisor. `--once` ends after the first report: 0 only if its PDF and its callback arrived.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import requests

from ops.sample_report import CODE, PRODUCT, SAMPLE, console, invite, show_one_job, stay
from ops.servers.process import Server
from ops.servers.receiver import Receiver
from schema.database import Database
from schema.documents import open_documents
from schema.migrate import migrate

ROOT = Path(__file__).resolve().parents[1]


class Api(Server):
    """The embedded default: gunicorn with the in-process broker and its workers."""

    name = "api"

    def __init__(self, folder: Path, port: int, environ: dict[str, str]) -> None:
        super().__init__(folder)
        self.port = port
        self._environ = environ

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            "ops/gunicorn.conf.py",
            "--chdir",
            str(ROOT),
            "service.wsgi:app",
        ]

    def environment(self) -> dict[str, str]:
        return {**self._environ, "PYTHONPATH": str(ROOT)}

    def launch(self) -> None:
        """Started in the checkout, where the configuration's relative paths begin."""
        here = self.folder
        self.folder = ROOT
        try:
            super().launch()
        finally:
            self.folder = here

    def answers(self) -> bool:
        return requests.get(f"{self.url}/livez", timeout=2).ok


def main(argv: list[str]) -> int:
    """Run the demonstration; the exit code says whether PDF and callback arrived."""
    parser = argparse.ArgumentParser(prog="ops/run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--once", action="store_true", help="end after the first report")
    parser.add_argument(
        "--port", type=int, default=int(os.environ.get("REPORTQ_PORT", "8000")), help="of the API (8000)"
    )
    parser.add_argument("--servers", action="store_true", help="on private servers instead of the embedded default")
    options = parser.parse_args(argv)
    if options.servers:
        from ops.demo_servers import demonstrate  # here: the embedded default starts sooner without brokers' clients

        return demonstrate(options.port, once=options.once)
    return _embedded(options.port, once=options.once)


def _embedded(port: int, *, once: bool) -> int:
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    receiver = Receiver(var / "receiver")
    allow = ",".join(filter(None, [os.environ.get("REPORTQ_WEBHOOK_ALLOW", ""), f"127.0.0.1:{receiver.port}"]))
    api = Api(var / "api", port, {"REPORTQ_PORT": str(port), "REPORTQ_WEBHOOK_ALLOW": allow})
    # Side by side: the API is what somebody waits for. Both make the tables, whoever comes first.
    api.launch()
    receiver.launch()
    with receiver, api:
        _save_sample()
        api.wait_ready()
        receiver.wait_ready()
        console.print(f"[bold]reportq[/] answers at [link]{api.url}[/] (embedded: one process, files under var/)")
        ok = show_one_job(api.url, receiver, Path("var") / "sample.pdf")
        if once:
            return 0 if ok else 1
        invite(api.url, receiver)
        return 0 if stay(api) else 1


def _save_sample() -> None:
    database = Database(os.environ.get("REPORTQ_DATABASE_URL", "sqlite:///var/reportq.db"))
    migrate(database)
    documents = open_documents(os.environ.get("REPORTQ_DOCUMENTS_URL", "database:"), database)
    documents.save_report(CODE, PRODUCT, json.loads(SAMPLE.read_text()))
    documents.close()
    database.close()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
