"""The whole system on private real servers, as production runs it: for `ops/run --servers`, tests, benches and chaos.

    with Stack(folder) as stack:                 # MariaDB, RabbitMQ, MongoDB wire, Drive double, receiver
        stack.submit(...)                        # gunicorn, render workers, webhook worker and relay under supervisor
        stack.kill("render-0")                   # kill -9 of a program, children included; supervisor starts it again

Everything lives in `folder`, listens on loopback, and ends with the process that made it.
"""

import contextlib
import functools
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import pymongo
import requests

from ops.servers import leash
from ops.servers.drive import DriveDouble
from ops.servers.loopback_http import call
from ops.servers.mariadb import MariaDB
from ops.servers.mongodb import MongoWire
from ops.servers.process import Server, free_port, wait_until
from ops.servers.rabbitmq import RabbitMQ
from ops.servers.receiver import Receiver
from ops.servers.supervisord import Supervised, first_key
from schema.sql.database import Database

ROOT = Path(__file__).resolve().parents[1]
ENDED = ("completed", "failed", "cancelled")


class Stack:
    """The system and its servers.

    The `settings` are REPORTQ_ variables beside or instead of the usual ones. The `modules` replace entry modules in
    the supervisor's commands (`{"actors.worker": "tests.crashes.worker"}`), since production has no switch for a broken
    part.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        render_workers: int = 2,
        settings: Mapping[str, str] | None = None,
        port: int | None = None,
        drive: bool = True,
        modules: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.mariadb = MariaDB(self.folder / "mariadb")
        self.rabbitmq = RabbitMQ(self.folder / "rabbitmq")
        self.mongo = MongoWire(self.folder / "mongodb")
        self.drive = DriveDouble(self.folder / "drive")
        self.receiver = Receiver(self.folder / "receiver")
        self.port = port or free_port()
        self.metrics_port = free_port()
        self.canary_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._render_workers = render_workers
        self._given = dict(settings or {})
        self._drive_used = drive
        self._modules = dict(modules or {})
        self._variables: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()
        self._programs: Supervised | None = None

    # -- life ---------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start servers side by side, then the programs; ready when jobs would be worked on."""
        with ThreadPoolExecutor(5) as pool:
            for started in [pool.submit(server.start) for server in self.servers().values()]:
                started.result()
        self.programs.start(timeout=180)
        return self

    def configure(self, settings: Mapping[str, str], variables: Mapping[str, Mapping[str, str]]) -> None:
        """Further settings, and environment variables of single programs; before anything is started.

        They may need the servers' ports. Supervisor's own expansions, `%(process_num)d` and the like, work in variables.
        """
        self._given |= settings
        self._variables |= {program: dict(chosen) for program, chosen in variables.items()}

    def servers(self) -> dict[str, Server]:
        """The servers by name."""
        servers: tuple[Server, ...] = (self.mariadb, self.rabbitmq, self.mongo, self.drive, self.receiver)
        return {server.name: server for server in servers}

    @property
    def programs(self) -> Supervised:
        """Supervisor; its environment is fixed when it is first asked for."""
        if self._programs is None:
            folder = self.folder / "programs"
            self._programs = Supervised(folder, self.environment, self.port, self._modules, self._variables)
        return self._programs

    @property
    def allowed(self) -> str:
        """Where callbacks go here, as REPORTQ_WEBHOOK_ALLOW writes it."""
        return f"127.0.0.1:{self.receiver.port},127.0.0.1:{self.canary_port}"

    @functools.cached_property
    def environment(self) -> dict[str, str]:
        """The settings of the programs, made once: the Drive double knows one key."""
        run_dir = self.folder / "run"
        run_dir.mkdir(exist_ok=True)
        credentials = self.drive.service_account(self.folder) if self._drive_used else None
        chosen = {
            "REPORTQ_PROFILE": "staging",
            "REPORTQ_DATABASE_URL": self.mariadb.url,
            "REPORTQ_DOCUMENTS_URL": self.mongo.url,
            "REPORTQ_BROKER_URL": self.rabbitmq.amqp_url,
            "REPORTQ_ARTIFACTS_URL": self.drive.url if self._drive_used else f"file:{self.folder / 'artifacts'}",
            "REPORTQ_GDRIVE_CREDENTIALS": str(credentials or ""),
            "REPORTQ_GDRIVE_API_ROOT": self.drive.api_root if self._drive_used else "",
            "REPORTQ_CONCURRENT_WORKERS": str(self._render_workers),
            "REPORTQ_WEBHOOK_THREADS": "8",
            "REPORTQ_WEBHOOK_ALLOW": self.allowed,
            "REPORTQ_RUN_DIR": str(run_dir),
            "REPORTQ_PORT": str(self.port),
            "REPORTQ_METRICS_PORT": str(self.metrics_port),
            "REPORTQ_CANARY_EVERY": "0",  # here jobs are counted
            "REPORTQ_CANARY_PORT": str(self.canary_port),
        }
        return chosen | self._given

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.kill_all()
            raise

    def __exit__(self, *_: object) -> None:
        self.kill_all()

    def kill_all(self) -> None:
        """End everything at once: nothing here is worth an orderly stop."""
        if self._programs is not None:
            self._programs.kill()
        for server in self.servers().values():
            with contextlib.suppress(Exception):
                server.kill()
        self._database.close()

    # -- programs -----------------------------------------------------------------------------------------------

    def pid(self, program: str) -> int:
        """The process id of a program (`api`, `relay`, `webhook`, `render-0` …); 0 while it does not run."""
        with self._lock:
            return self.programs.pid_of(program)

    def names(self) -> list[str]:
        """Every program's name."""
        with self._lock:
            return self.programs.names()

    def kill(self, program: str, number: int = signal.SIGKILL, *, whole: bool = True) -> bool:
        """Signal a program, with everything below it or only its first process; whether there was one."""
        pid = self.pid(program)
        for one in [pid, *(leash.descendants(pid) if whole else [])] if pid else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, number)
        return bool(pid)

    def restart(self, program: str) -> None:
        """An orderly stop and start."""
        with self._lock:
            self.programs.end(program)
            self.programs.begin(program)

    @contextlib.contextmanager
    def stopped(self, program: str) -> Iterator[None]:
        """Without this program for a while."""
        with self._lock:
            self.programs.end(program)
        try:
            yield
        finally:
            with self._lock:
                self.programs.begin(program)

    def log(self, program: str) -> str:
        """What a program wrote."""
        return (self.folder / "run" / f"{program}.log").read_text(errors="replace")

    # -- the API ------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request to the API, with the first configured key."""
        headers = {**first_key(self.environment), **options.pop("headers", {})}
        return call(method, self.url + path, headers=headers, **options)

    def submit(self, **body: Any) -> str:
        """Submit and return the job id; `code` and `productId` have defaults."""
        asked = {"code": "A1", "productId": "minatBakatUmum", **body}
        answer = self.call("POST", "/api/reports/generate-async", json=asked)
        if answer.status_code != 202:
            raise RuntimeError(f"{answer.status_code} {answer.text}")
        return str(answer.json()["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as the API shows it."""
        answer: dict[str, Any] = self.call("GET", f"/api/jobs/{job_id}").json()
        return answer

    def wait_ended(self, job_id: str, timeout: float = 60) -> dict[str, Any]:
        """The job once it has ended; asked in the database, so that the API may be away."""

        def ended() -> bool:
            return str(self.sql("SELECT status FROM pdf_job_results WHERE job_id=%s", job_id)[0]["status"]) in ENDED

        wait_until(ended, timeout, f"{job_id} ends")
        return self.job(job_id)

    # -- looking from outside -----------------------------------------------------------------------------------

    @functools.cached_property
    def _database(self) -> Database:
        return Database(self.mariadb.url)

    def sql(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """A query on MariaDB, by a connection of this thread."""
        return self._database.fetch_all(statement, values)

    def sql_write(self, statement: str, *values: object) -> int:
        """A statement that changes MariaDB behind everybody's back."""
        return self._database.execute(statement, values)

    def save_report(self, code: str, product_id: str, report: Mapping[str, Any]) -> None:
        """Put a source document into MongoDB."""
        key = {"code": code, "product_id": product_id}
        with pymongo.MongoClient[dict[str, Any]](self.mongo.url) as client:
            client["workflow"]["psikotes_v2"].replace_one(key, {**report, **key}, upsert=True)

    def source(self, code: str, product_id: str) -> dict[str, Any]:
        """A source document as it stands, `pdf_generation` included."""
        with pymongo.MongoClient[dict[str, Any]](self.mongo.url) as client:
            return client["workflow"]["psikotes_v2"].find_one({"code": code, "product_id": product_id}) or {}
