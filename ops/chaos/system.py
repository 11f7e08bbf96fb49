"""The system under test: production's programs on private real servers, a misbehaving network between them, and clocks
that can be turned."""

from __future__ import annotations

import contextlib
import itertools
import platform
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo

from ops.chaos.embedded import Embedded
from ops.chaos.sabotage import VARIABLE
from ops.chaos.schedule import LEASE
from ops.servers.packages import need
from ops.servers.process import Server
from ops.servers.small_disk import SmallDisk
from ops.servers.tcp_proxy import TcpProxy
from ops.stack import ROOT, Stack

SOURCES = 20  # reports of each product in MongoDB
FAKETIME = f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketimeMT.so.1"
MODULES = {
    "actors.worker": "ops.chaos.worker",
    "actors.relay": "ops.chaos.relay",
    "service.wsgi:app": "ops.chaos.api:app",
}
# Seconds unless said otherwise. All are scaled down alike, so their order is production's. A statement (10 s) is
# shorter than a lease, a call to Drive shorter than a job. A talk with the broker is shorter than the time after which
# a relay counts as stuck.
CLOCKS = {
    "REPORTQ_LEASE": f"{LEASE:g}",
    "REPORTQ_HEARTBEAT": "2",
    "REPORTQ_SWEEP": "0.5",
    "REPORTQ_RELAY_HOLD": "4",
    "REPORTQ_RELAY_STUCK": "15",
    "REPORTQ_BROKER_TIMEOUT": "4",
    "REPORTQ_LOST_HINT_AFTER": "5",
    "REPORTQ_PROMOTE_AFTER": "30",
    "REPORTQ_JOB_TIMEOUT": "40",
    "REPORTQ_RETRY_BACKOFF": "0.2",
    "REPORTQ_RETRY_BACKOFF_MAX": "2",
    "REPORTQ_SWITCH_POLL": "0.5",
    "REPORTQ_PROBE_EVERY": "1",
    "REPORTQ_OUTAGE_WINDOW": "2",
    "REPORTQ_HOST_PROBE_EVERY": "1",
    "REPORTQ_GDRIVE_TIMEOUT": "3",
    "REPORTQ_WEBHOOK_TIMEOUT": "2",
    "REPORTQ_WEBHOOK_SCALE": "0.02",
    "REPORTQ_MAX_BATCH": "5000",  # jobs
}


RUN_DISK = 128 << 20  # bytes: everybody's logs, too
ROWS_DISK = 768 << 20  # of which MariaDB takes a fifth before the first row


class System:
    """Stack, proxies, clocks and disks of one run, and the embedded default beside them; everything ends with it."""

    def __init__(self, folder: Path, sabotage: str | None = None, workers: int = 3) -> None:
        need("libfaketime")
        self.folder = folder
        self.workers = workers
        self.clocks = folder / "clocks"
        self.clocks.mkdir(parents=True, exist_ok=True)
        clock = {
            "LD_PRELOAD": FAKETIME,
            "FAKETIME_TIMESTAMP_FILE": f"{self.clocks}/%(program_name)s-%(process_num)d",
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",  # a clock that is set jumps; the monotonic one never does
            "PYTHONPATH": f"{Path(__file__).parent / 'clocks'}:{ROOT}",
        }
        settings = dict(CLOCKS)
        if sabotage:
            settings[VARIABLE] = sabotage
        for name in [*(f"render-{n}" for n in range(workers)), "webhook-0"]:
            self.turn_clock(name, 0)
        self.stack = Stack(folder / "stack", render_workers=workers, settings=settings, modules=MODULES)
        stack = self.stack
        self.run_disk = SmallDisk(stack.folder / "run", RUN_DISK)
        self.rows_disk = SmallDisk(stack.mariadb.rows, ROWS_DISK)
        self.embedded = Embedded(folder / "embedded", stack.receiver, CLOCKS)
        self.proxies = {
            "database-workers": TcpProxy(stack.mariadb.port),
            "database-front": TcpProxy(stack.mariadb.port),
            "rabbitmq": TcpProxy(stack.rabbitmq.port),
            "mongodb": TcpProxy(stack.mongo.port),
            "drive": TcpProxy(stack.drive.port),
        }
        port = {name: proxy.port for name, proxy in self.proxies.items()}
        away = {"REPORTQ_DATABASE_URL": stack.mariadb.at(port["database-workers"])}
        stack.configure(
            {
                "REPORTQ_DATABASE_URL": stack.mariadb.at(port["database-front"]),
                "REPORTQ_DOCUMENTS_URL": stack.mongo.at(port["mongodb"]),
                "REPORTQ_BROKER_URL": stack.rabbitmq.at(port["rabbitmq"]),
                "REPORTQ_GDRIVE_API_ROOT": stack.drive.at(port["drive"]),
            },
            {"render": {**clock, **away}, "webhook": {**clock, **away}},
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[System]:
        """Start everything and put the reports into MongoDB; end everything."""
        try:
            with self.run_disk, self.rows_disk, self.embedded.disk, self._logs_kept(), self.stack, self.embedded.api:
                self._save_reports()
                yield self
        finally:
            for proxy in self.proxies.values():
                proxy.stop()

    @contextlib.contextmanager
    def _logs_kept(self) -> Iterator[None]:
        """Out of the run folder, whose disk goes with the run."""
        try:
            yield
        finally:
            logs = self.folder / "logs"
            logs.mkdir(exist_ok=True)
            for log in self.run_disk.folder.glob("*.log*"):
                shutil.copy(log, logs)

    def _save_reports(self) -> None:
        from ops.trial_renderer import BEHAVIOURS

        with pymongo.MongoClient[dict[str, Any]](self.stack.mongo.url, w="majority", journal=True) as client:
            reports = itertools.product(BEHAVIOURS, range(SOURCES))
            client["workflow"]["psikotes_v2"].insert_many(
                [{"code": f"K{n}", "product_id": product, "name": f"Trial {n}"} for product, n in reports]
            )

    def turn_clock(self, program: str, seconds: float) -> None:
        """Set a worker's clock so many seconds off; it notices within a second."""
        target = self.clocks / program
        fresh = target.with_suffix(".new")
        fresh.write_text(f"{seconds:+.0f}\n")
        fresh.replace(target)

    def programs(self, part: str) -> list[str]:
        """The names of a part's programs."""
        return [f"render-{n}" for n in range(self.workers)] if part == "render" else [part]

    def heal(self) -> None:
        """No more troubles: everybody runs, every route is open, every clock is right, every disk has room."""
        for disk in (self.run_disk, self.rows_disk, self.embedded.disk):
            disk.free()
        for proxy in self.proxies.values():
            proxy.heal()
        for server in self.stack.servers().values():
            self.ensure(server)
        for program in self.stack.names():
            self.stack.kill(program, signal.SIGCONT)
        self.ensure(self.embedded.api)
        self.stack.drive.clear()
        self.stack.receiver.clear()
        for clock in self.clocks.iterdir():
            self.turn_clock(clock.name, 0)

    @staticmethod
    def ensure(server: Server) -> None:
        """The server runs, however it was left."""
        if server.running:
            server.resume()
            server.wait_ready(60)
        else:
            server.start(60)
