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
import time
from pathlib import Path
from typing import Any

import requests
from rich.console import Console

from ops.servers.process import Server
from ops.servers.receiver import Received, Receiver
from schema.database import Database
from schema.documents import open_documents
from schema.migrate import migrate

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "actors" / "pdf" / "templates" / "minatBakatUmum" / "sample.json"
CODE = "rb5YrWGWJXOHoj6r"
PRODUCT = "minatBakatUmum"
PATIENCE = 60.0  # seconds until the demonstration gives up

console = Console(highlight=False, soft_wrap=True)


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
        from ops.stack import demonstrate

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


def show_one_job(url: str, receiver: Receiver, pdf: Path, headers: dict[str, str] | None = None) -> bool:
    """Submit the sample, follow it, fetch the PDF, wait for the callback; print each step as it happens."""
    body = {"code": CODE, "productId": PRODUCT, "priority": "normal", "callback": receiver.url()}
    before = len(receiver.posts())
    began = time.monotonic()
    step(began, "POST /api/reports/generate-async", json.dumps(body))
    answer = requests.post(f"{url}/api/reports/generate-async", json=body, headers=headers, timeout=30)
    step(began, str(answer.status_code), answer.text)
    if answer.status_code != 202:
        return False
    job_id = answer.json()["job_id"]
    job = _follow(f"{url}/api/jobs/{job_id}", began, headers)
    if job["status"] != "completed":
        return False
    download = requests.get(f"{url}/api/jobs/{job_id}/download", headers=headers, timeout=30)
    pdf.parent.mkdir(parents=True, exist_ok=True)
    pdf.write_bytes(download.content)
    step(began, f"GET /api/jobs/{job_id}/download", f"{download.status_code}, {len(download.content):,} bytes → {pdf}")
    told = _callback(receiver, before, job_id)
    if told is None:
        step(began, "callback", "[red]did not arrive[/]")
        return False
    step(began, f"callback {told.path}", told.body.decode())
    return (
        download.status_code == 200 and download.content.startswith(b"%PDF-") and told.json()["status"] == "completed"
    )


def _follow(url: str, began: float, headers: dict[str, str] | None) -> dict[str, Any]:
    shown = None
    while True:
        job: dict[str, Any] = requests.get(url, headers=headers, timeout=30).json()
        state = (job["status"], job["stage"], job["progress"])
        if state != shown:
            shown = state
            more = f" · {job['stage']} · {job['progress']} %" if job["stage"] else ""
            step(began, "job", f"{job['status']}{more}" + (f" · {job['error']['message']}" if job["error"] else ""))
        if job["status"] in ("completed", "failed", "cancelled") or time.monotonic() - began > PATIENCE:
            return job
        time.sleep(0.05)


def _callback(receiver: Receiver, before: int, job_id: str) -> Received | None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for post in receiver.posts()[before:]:
            if post.json().get("job_id") == job_id:
                return post
        time.sleep(0.05)
    return None


def step(began: float, what: str, shown: str) -> None:
    """One line of the story, with the seconds since it began."""
    console.print(f"[dim]{time.monotonic() - began:6.2f} s[/]  [bold]{what}[/]  {shown}")


def invite(url: str, receiver: Receiver) -> None:
    """What to try next."""
    console.print(f"""
Try it yourself (Ctrl-C ends everything):

  curl -s {url}/api/reports/generate-async -H 'Content-Type: application/json' \\
       -d '{{"code": "{CODE}", "productId": "{PRODUCT}", "callback": "{receiver.url()}"}}'

Callbacks are written to {receiver.journal}.""")


def stay(server: Server) -> bool:
    """Wait for Ctrl-C; False when the server ended by itself."""
    try:
        while server.running:
            time.sleep(0.5)
        console.print(f"[red]The server ended:[/]\n{server.tail()}")
        return False
    except KeyboardInterrupt:
        console.print("Stopping ...")
        return True


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
