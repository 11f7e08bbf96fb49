"""A process's life: `build(settings)` makes it; it is verified, started (embedded) and stopped here."""

import fcntl
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import dramatiq
import structlog

from actors.process.parts import STOP_SECONDS, Parts
from schema.callbacks.allow_list import AllowList
from schema.callbacks.receiver_headers import ReceiverHeaders
from schema.callbacks.urls import check_literal
from schema.errors import Refused, ReportqError
from schema.host import run_folder
from schema.rows import messages, outbox
from schema.settings import Settings, SettingsError
from schema.sql import fitness
from schema.sql.database import patiently
from schema.sql.migrate import migrate

log = structlog.get_logger()

LOCK_WAIT = STOP_SECONDS + 5  # Seconds for which an embedded process waits until another one ends.
GUNICORN_GIVES_UP = 3  # A worker's exit code for "could not be started". Gunicorn does not try again.


class AlreadyRunning(ReportqError):
    """The in-process broker lives in exactly one process."""

    code = "already_running"


@dataclass
class Runtime(Parts):
    """The parts, and what runs them."""

    _workers: list[dramatiq.Worker] = field(default_factory=list)
    _starter: threading.Thread | None = None
    _lock: IO[str] | None = None

    def verify(self) -> None:
        """Migrate the database and check every setting, before the process accepts anything."""
        run_folder.look(self.settings.run_dir)
        migrate(self.db)
        fitness.require_transactions(self.db)
        if small := fitness.small_packets(self.db):
            log.warning("database.small_packets", bytes=small, least=fitness.PACKET, setting="max_allowed_packet")
        self.verify_webhooks()
        ReceiverHeaders.parse(self.settings.webhook_headers)
        _ = self.artifacts, self.tracing

    def verify_webhooks(self) -> None:
        """Raise ValueError unless the allow list can be read and operators' webhook may be called."""
        allow = AllowList.parse(self.settings.webhook_allow)
        try:
            if self.settings.operations_webhook:
                check_literal(self.settings.operations_webhook, allow)
        except Refused as refused:
            given = f"a URL that is refused ({refused.detail})"
            raise SettingsError("REPORTQ_OPERATIONS_WEBHOOK", given, "one that callbacks may go to") from None

    def verify_patiently(self) -> None:
        """The same, waiting as long as the database is away; each reason is logged once."""
        told: set[str] = set()

        def waiting(why: str) -> None:
            if why not in told:
                log.warning("start.waits", detail=why)
            told.add(why)

        patiently(self.verify, waiting=waiting)

    def start_embedded(self) -> None:
        """Run relay, housekeeping and both workers inside this process (the in-process broker).

        The API answers before the renderer has loaded its fonts; jobs submitted meanwhile wait in their rows.
        """
        self._lock = alone(self.settings.run_dir)
        for box in (outbox.JOBS, outbox.DELIVERIES):
            box.unpublish_all(self.db)
        _ = self.publisher, self.documents, self.wake  # made by this thread, before the API asks for them too
        self._starter = threading.Thread(target=self._start_workers, name="starter", daemon=True)
        self._starter.start()

    def _start_workers(self) -> None:
        try:
            s = self.settings
            for queue, threads in {messages.RENDER: s.concurrent_workers, messages.WEBHOOKS: s.webhook_threads}.items():
                worker = dramatiq.Worker(self.broker, queues={queue}, worker_threads=threads, worker_timeout=200)
                worker.start()
                self._workers.append(worker)
            # Only the `dramatiq` command emits this; without it the time limits' thread never starts.
            self.broker.emit_after("process_boot")
            self.start_relay()
        except Exception:
            log.exception("embedded.failed")
            os._exit(GUNICORN_GIVES_UP)  # an API without workers accepts jobs that never end

    def start_relay(self) -> None:
        """Start a thread each for publishing, the duties that ask the database, those that ask others, and news."""
        runs: dict[str, Callable[[], None]] = {"relay": self.relay.run}
        keeper = self.housekeeper
        runs["housekeeper"] = partial(keeper.loop, keeper.sweep)
        runs["housekeeper-outside"] = partial(keeper.loop, keeper.ask_around)
        if keeper.news is not None:
            runs["housekeeper-news"] = partial(keeper.loop, keeper.tell)
        for name, run in runs.items():
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self.threads.append(thread)

    def stop_work(self) -> None:
        """Finish or give back jobs and callbacks within STOP_SECONDS, begin nothing new, and free the run folder.

        What requests need stays open.
        """
        self.attempts.stopping.set()
        if self._starter is not None:
            self._starter.join()
        for name in ("relay", "housekeeper"):
            if name in self.__dict__:
                self.__dict__[name].stopping.set()
        self.wake()
        milliseconds = round(STOP_SECONDS * 1000)
        ends = [threading.Thread(target=worker.stop, args=(milliseconds,), daemon=True) for worker in self._workers]
        for thread in ends:
            thread.start()
        for thread in ends:
            thread.join(STOP_SECONDS)
        for thread in self.threads:
            thread.join(5)
        if self._lock is not None:
            self._lock.close()

    def stop(self) -> None:
        """Stop the work and close the connections."""
        self.stop_work()
        self.close()


def build(settings: Settings, **given: object) -> Runtime:
    """A runtime; `given` replaces parts (db, documents, artifacts, renderer, sender, publisher)."""
    return Runtime(settings, given)


def alone(run_dir: str) -> IO[str]:
    """Take the lock of the one embedded process; waits LOCK_WAIT seconds for another one to end, then refuses."""
    folder = Path(run_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "embedded.lock", "w")  # noqa: SIM115 - held until the process ends
    except OSError as error:
        raise run_folder.RunFolderUnusable(folder, error) from error
    until = time.monotonic() + LOCK_WAIT
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except OSError:
            if time.monotonic() > until:
                lock.close()
                raise AlreadyRunning(
                    f"Another reportq with the in-process broker runs in {folder.absolute()}. Stop it, or give this one "
                    "its own REPORTQ_RUN_DIR and REPORTQ_DATABASE_URL, or set REPORTQ_BROKER_URL to RabbitMQ."
                ) from None
            time.sleep(0.2)
