"""`ops/run --servers`: the sample report's way through the whole system on real servers, checked from outside."""

import json
import shlex
import time
from collections.abc import Mapping
from typing import Any

from ops.claims import claim_port, claimed
from ops.sample_report import CODE, PRODUCT, SAMPLE, console, invite, key_of, show_one_job, stay, step
from ops.servers.process import write_private
from ops.stack import ROOT, Stack
from schema.settings import PREFIX, Settings

# What the private servers, their folders and the free ports decide; everything else is the caller's.
_OURS = frozenset(
    PREFIX + name
    for name in (
        "DATABASE_URL", "DOCUMENTS_URL", "BROKER_URL", "ARTIFACTS_URL", "GDRIVE_CREDENTIALS", "GDRIVE_API_ROOT", "RUN_DIR",
        "PORT", "METRICS_PORT", "CANARY_PORT",
    )
)  # fmt: skip
_ALLOW = PREFIX + "WEBHOOK_ALLOW"


def demonstrate(settings: Settings, environ: Mapping[str, str], *, once: bool) -> int:
    """Start everything with the caller's settings, show one report, and stay unless it is to be `once`; the exit code."""
    folder = ROOT / "var" / "servers"
    with claimed(folder / "ops-run.lock", "ops/run --servers runs already in this checkout: stop that one first."):
        claim_port("127.0.0.1", settings.port)
        stack = Stack(folder, port=settings.port)
        chosen, overridden = passed_on(environ)
        if settings.webhook_allow:
            chosen[_ALLOW] = f"{stack.allowed},{settings.webhook_allow}"
        stack.configure(chosen, {})
        if chosen:
            console.print(f"From your environment: {', '.join(sorted(chosen))}.")
        if overridden:
            console.print(f"Not heeded, since these servers are private: {', '.join(overridden)}.")
        return _demonstrate(stack, key_of(settings), once=once)


def passed_on(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The caller's REPORTQ_ variables that the programs get, and the names of those that they do not."""
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    ours = sorted(name for name in given if name.removesuffix("_FILE") in _OURS)
    kept = {name: value for name, value in given.items() if name not in ours}
    return {name: value for name, value in kept.items() if name.removesuffix("_FILE") != _ALLOW}, ours


def _demonstrate(stack: Stack, key: Mapping[str, str], *, once: bool) -> int:
    began = time.monotonic()
    console.print("Starting MariaDB, RabbitMQ, MongoDB-wire server, Drive double, receiver and the programs ...")
    with stack:
        console.print(f"Ready after {time.monotonic() - began:.0f} s.")
        table = _shown(stack)
        written = write_private(ROOT / "var" / "run.json", json.dumps(table, indent=2))
        exported = write_private(ROOT / "var" / "run.env", _exports(stack.environment))
        rabbit = table["rabbitmq"]
        console.print(f"API               {stack.url}")
        console.print(f"RabbitMQ's UI     {rabbit['management']}  user {rabbit['user']}, password {rabbit['password']}")
        console.print(f"MariaDB           {stack.mariadb.url}")
        console.print(f"MongoDB wire      {stack.mongo.url}")
        console.print(f"Drive double      {stack.drive.api_root}")
        console.print(f"All of it with process ids in {written.relative_to(ROOT)}\n", highlight=False)
        console.print(
            "ops/reportq status, ops/processes status and the like know of it in a shell that has read this first:\n"
        )
        console.print(f"  . {exported.relative_to(ROOT)}\n")
        stack.save_report(CODE, PRODUCT, json.loads(SAMPLE.read_text()))
        files = len(stack.drive.files())
        ok = show_one_job(stack.url, stack.receiver, ROOT / "var" / "sample.pdf", key)
        ok = ok and _checked_from_outside(stack, files)
        if once:
            return 0 if ok else 1
        invite(stack.url, stack.receiver)
        return 0 if stay(stack.programs) else 1


def _checked_from_outside(stack: Stack, files_before: int) -> bool:
    """The row in MariaDB, the link in MongoDB, exactly one new file in Drive."""
    began = time.monotonic()
    columns = "job_id, status, google_drive_link, retry_count"
    row = stack.sql(f"SELECT {columns} FROM pdf_job_results ORDER BY requested_at DESC")[0]
    step(began, "MariaDB pdf_job_results", json.dumps(row))
    kept = stack.source(CODE, PRODUCT).get("pdf_generation", {})
    step(began, "MongoDB pdf_generation", json.dumps(kept, default=str))
    files = [file["id"] for file in stack.drive.files()]
    step(began, "Drive files", f"{len(files)} ({len(files) - files_before} new)")
    return (
        row["status"] == "completed"
        and kept.get("job_id") == row["job_id"]
        and kept.get("google_drive_link") == row["google_drive_link"]
        and len(files) - files_before == 1
    )


def _exports(environment: Mapping[str, str]) -> str:
    """Lines for a shell to read."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())


def _shown(stack: Stack) -> dict[str, Any]:
    """URLs, passwords and process ids, for var/run.json."""
    rabbitmq = stack.rabbitmq
    return {
        "api": stack.url,
        "database": stack.mariadb.url,
        "mongodb": stack.mongo.url,
        "rabbitmq": {
            "amqp": rabbitmq.amqp_url, "management": rabbitmq.management_url,
            "user": rabbitmq.admin, "password": rabbitmq.admin_password,
        },
        "drive": stack.drive.api_root,
        "receiver": stack.receiver.url(),
        "environment": stack.environment,
        "pids": {name: server.pid for name, server in stack.servers().items()}
        | {"supervisord": stack.programs.pid}
        | {name: stack.pid(name) for name in stack.names()},
    }  # fmt: skip
