"""The sample report and its way through a running system, told step by step; then what to try next."""

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from rich.console import Console

from ops.servers.process import Server, wait_until
from ops.servers.receiver import Received, Receiver
from schema.environment.secret_lists import parse_api_keys
from schema.settings import Settings

SAMPLE = Path(__file__).resolve().parents[1] / "actors" / "pdf" / "templates" / "minatBakatUmum" / "sample.json"
CODE = "rb5YrWGWJXOHoj6r"
PRODUCT = "minatBakatUmum"
PATIENCE = 60.0  # seconds until the story is given up

console = Console(highlight=False, soft_wrap=True)


def key_of(settings: Settings) -> dict[str, str]:
    """The header with the first configured key that may submit; empty when none is needed."""
    usable = [key for _, role, key in parse_api_keys(settings.api_keys) if role != "read"]
    return {"X-API-Key": usable[0]} if usable else {}


def show_one_job(url: str, receiver: Receiver, pdf: Path, key: Mapping[str, str]) -> bool:
    """Submit the sample, follow it, fetch the PDF, wait for the callback; print each step as it happens."""
    body = {"code": CODE, "productId": PRODUCT, "priority": "normal", "callback": receiver.url()}
    before = len(receiver.posts())
    began = time.monotonic()
    step(began, "POST /api/reports/generate-async", json.dumps(body))
    answer = requests.post(f"{url}/api/reports/generate-async", json=body, headers=key, timeout=30)
    step(began, str(answer.status_code), answer.text)
    if answer.status_code != 202:
        return False
    job_id = answer.json()["job_id"]
    job = _follow(f"{url}/api/jobs/{job_id}", began, key)
    if job["status"] != "completed":
        return False
    download = requests.get(f"{url}/api/jobs/{job_id}/download", headers=key, timeout=30)
    pdf.parent.mkdir(parents=True, exist_ok=True)
    pdf.write_bytes(download.content)
    step(began, f"GET /api/jobs/{job_id}/download", f"{download.status_code}, {len(download.content):,} bytes → {pdf}")
    told = _callback(receiver, before, job_id)
    if told is None:
        step(began, "callback", "[red]did not arrive[/]")
        return False
    step(began, f"callback {told.path}", told.body.decode())
    whole = download.status_code == 200 and download.content.startswith(b"%PDF-")
    return whole and told.json()["status"] == "completed"


def _follow(url: str, began: float, key: Mapping[str, str]) -> dict[str, Any]:
    shown = None
    while True:
        job: dict[str, Any] = requests.get(url, headers=key, timeout=30).json()
        state = (job["status"], job["stage"], job["progress"])
        if state != shown:
            shown = state
            more = f" · {job['stage']} · {job['progress']} %" if job["stage"] else ""
            step(began, "job", f"{job['status']}{more}" + (f" · {job['error']['message']}" if job["error"] else ""))
        if job["status"] in ("completed", "failed", "cancelled") or time.monotonic() - began > PATIENCE:
            return job
        time.sleep(0.05)


def _callback(receiver: Receiver, before: int, job_id: str) -> Received | None:
    def came() -> list[Received]:
        return [post for post in receiver.posts()[before:] if post.json().get("job_id") == job_id]

    with contextlib.suppress(TimeoutError):
        wait_until(lambda: bool(came()), PATIENCE, "the callback")
    return next(iter(came()), None)


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
