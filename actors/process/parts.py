"""The parts of a process: each is made when it is first asked for, and nothing connects before it is used.

Tests and benches hand in their own renderer, sender or stores; production hands in nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import dramatiq
import structlog

from actors.artifacts import TRIAL, open_artifacts, try_out
from actors.publish.wakeup import Waker
from middleware.hooks.heartbeats import Heartbeats
from middleware.hooks.lifecycle import Attempts, Lifecycle
from middleware.hooks.limits import MemoryLimit, RenderTimeLimit
from middleware.hooks.moved_messages import MovedMessages
from middleware.hooks.retries import JobRetries
from middleware.meters.counters import Meters, folder_of
from middleware.meters.worker import WorkerMeters
from middleware.rabbitmq.broker import open_broker, open_publisher
from middleware.rabbitmq.publisher import RabbitPublisher
from schema import VERSION
from schema.callbacks.allow_list import AllowList
from schema.callbacks.receiver_headers import ReceiverHeaders
from schema.documents import open_documents
from schema.environment.fitting import fit
from schema.life import replays
from schema.life.failures import RetryPolicy
from schema.metrics import table as metrics
from schema.ports import Artifacts, Documents, Publisher, Renderer, Sender
from schema.rows import messages, outbox
from schema.rows.pauses import PauseBoard
from schema.rows.rendered import StoreBacklog
from schema.settings import Settings
from schema.sql.database import Database

if TYPE_CHECKING:  # each process loads what it uses: the API sends no callbacks and publishes nothing
    from actors.deliver.delivery import Delivering
    from actors.housekeeping.leader import Housekeeper
    from actors.publish.admission import Relay
    from actors.render.rendering import Rendering
    from actors.render.storing import Storing
    from middleware.tracing.spans import Tracing

log = structlog.get_logger()

STOP_SECONDS = 45.0  # For the jobs and callbacks at work when a process is stopped.


@dataclass
class Parts:
    """Every part of one process, made when first asked for."""

    settings: Settings
    given: InitVar[dict[str, object] | None] = None
    guard_process: bool = False
    threads: list[threading.Thread] = field(default_factory=list)  # beside the workers': relay and housekeeping

    def __post_init__(self, given: dict[str, object] | None) -> None:
        self.__dict__ |= given or {}  # a part that is there is not made

    @cached_property
    def tracing(self) -> Tracing | None:
        """Spans of what this process does; None, and nothing of OpenTelemetry is loaded, unless the settings want them."""
        if not self.settings.tracing:
            return None
        from middleware.tracing.export import open_tracing

        return open_tracing(self.settings)

    @cached_property
    def attempts(self) -> Attempts:
        return Attempts() if self.tracing is None else self.tracing.attempts()

    @cached_property
    def worker_id(self) -> str:
        # With pid, hash and "/webhooks" behind it the whole must fit into VARCHAR(64).
        return f"{fit(os.uname().nodename, 40)}-{os.getpid()}-{os.urandom(3).hex()}"

    @cached_property
    def db(self) -> Database:
        return Database(self.settings.database_url)

    @cached_property
    def board(self) -> PauseBoard:
        return PauseBoard(self.db, self.settings.switch_poll)

    @cached_property
    def documents(self) -> Documents:
        return open_documents(self.settings.documents_url, self.db)

    @cached_property
    def artifacts(self) -> Artifacts:
        return open_artifacts(self.settings)

    @cached_property
    def renderer(self) -> Renderer:
        from actors.pdf.renderer import PdfRenderer  # late: only render processes pay for fonts

        return PdfRenderer(
            [Path(p) for p in self.settings.templates_dir.split(":") if p],
            lambda document_id, scripts: log.warning("report.fonts_missing", document=document_id, scripts=[*scripts]),
            lambda product_id, claims: log.warning("template.unfounded", product=product_id, claims=[*claims]),
            self.settings.time_zone,
        )

    @cached_property
    def sender(self) -> Sender:
        from actors.deliver.sender import SignedSender

        sender = SignedSender(
            self.settings.signing_secrets,
            version=VERSION,
            allow=AllowList.parse(self.settings.webhook_allow),
            timeout=self.settings.webhook_timeout,
            connections=self.settings.webhook_threads,
            headers=ReceiverHeaders.parse(self.settings.webhook_headers),
        )
        return sender if self.tracing is None else self.tracing.sender(sender)

    @cached_property
    def wake(self) -> Waker:
        return Waker(self.settings.run_dir)

    @cached_property
    def policy(self) -> RetryPolicy:
        s = self.settings
        return RetryPolicy(s.retry_attempts, s.retry_backoff, s.retry_backoff_max)

    @cached_property
    def worker_meters(self) -> WorkerMeters:
        part = metrics.API if self.settings.embedded else metrics.WORKERS
        meters = Meters(folder_of(self.settings.run_dir, part))
        return WorkerMeters(meters) if self.tracing is None else self.tracing.meters(meters)

    @cached_property
    def stack(self) -> list[dramatiq.Middleware]:
        """The middleware in order. `after_*` hooks run from the last to the first.

        So the time limit is lifted before the outcome is written, and the attempt ends after that.
        """
        s = self.settings
        return [
            Lifecycle(self.attempts, self.warm_up),
            self.retries,
            RenderTimeLimit(self.attempts, s.job_timeout),
            self.worker_meters,
            MovedMessages(
                replay=lambda letter: replays.replay_moved(self.db, letter),
                publish_again=lambda queue, key: outbox.HINTED[queue].unpublish(self.db, key),
                wake=self.wake,
            ),
            Heartbeats(
                self.db,
                self.attempts,
                worker_id=self.worker_id,
                every=s.heartbeat,
                lease=s.lease,
                guard_process=self.guard_process,
                stop_within=STOP_SECONDS,
                others=lambda: self.threads,
            ),
            MemoryLimit(s.worker_memory if self.guard_process else 0),
        ]

    @cached_property
    def retries(self) -> JobRetries:
        return JobRetries(self.settings, self.db, self.attempts, self.policy, self.worker_meters.ended, self.wake)

    @cached_property
    def broker(self) -> dramatiq.Broker:
        broker = open_broker(self.settings, self.stack)
        # Looked up at each message: the actors' parts are made when the worker warms up, not with the broker.
        works: dict[str, Callable[[str], None]] = {
            messages.RENDER: lambda job_id: self.rendering(job_id),
            messages.WEBHOOKS: lambda delivery_id: self.delivering(delivery_id),
        }
        for queue, work in works.items():
            dramatiq.actor(broker=broker, actor_name=messages.ACTORS[queue], queue_name=queue)(work)
        return broker

    @cached_property
    def publisher(self) -> Publisher:
        return open_publisher(self.settings, self.broker)

    @property
    def _shared(self) -> tuple[Settings, Database, Attempts, PauseBoard, WorkerMeters, str, Waker]:
        """What every actor is given, in the order of `Actor`."""
        return self.settings, self.db, self.attempts, self.board, self.worker_meters, self.worker_id, self.wake

    @cached_property
    def rendering(self) -> Rendering:
        from actors.render.rendering import Rendering

        return Rendering(*self._shared, self.documents, self.renderer, self.storing, self.backlog)

    @cached_property
    def storing(self) -> Storing:
        from actors.render.storing import Storing

        return Storing(*self._shared, self.artifacts, self.retries.settle)

    @cached_property
    def backlog(self) -> StoreBacklog:
        return StoreBacklog(self.db, self.settings)

    @cached_property
    def delivering(self) -> Delivering:
        from actors.deliver.delivery import Delivering

        return Delivering(*self._shared, self.documents, self.sender)

    @cached_property
    def relay(self) -> Relay:
        from actors.publish.admission import Relay

        publisher = self.publisher if self.tracing is None else self.tracing.publisher(self.publisher)
        return Relay(self.settings, self.db, publisher, self.board, self.backlog)

    @cached_property
    def housekeeper(self) -> Housekeeper:
        from actors.housekeeping.leader import Housekeeper
        from actors.housekeeping.letter_tidying import LetterTidying
        from actors.housekeeping.lost_messages import LostMessages
        from actors.housekeeping.news import News
        from actors.housekeeping.probes import Probes
        from actors.housekeeping.rescue import Rescue
        from actors.housekeeping.retention import Retention

        s = self.settings
        full = {"drive_quota_exceeded": partial(try_out, self.artifacts, "reportq-probe", TRIAL)}
        asks = {"mongodb": self.documents.ping, self.artifacts.dependency: self.artifacts.ping}
        swept = isinstance(self.publisher, RabbitPublisher)
        return Housekeeper(
            s,
            self.db,
            Rescue(s, self.db, self.policy, self.worker_meters, self.wake),
            Retention(self.db, s.cleanup_completed_after, s.keep_resolved_letters, swept),
            Probes(self.db, self.board, asks, full, s.probe_every, self.wake),
            LostMessages(self.db, self.publisher, s.lost_hint_after, self.wake),
            LetterTidying(self.db, self.publisher, s.sweep),
            News(s, self.db, lambda: self.sender) if s.operations_webhook else None,
        )

    def warm_up(self, queues: frozenset[str]) -> None:
        """Load what the workers of these queues need, before their first message."""
        if messages.RENDER in queues:
            _ = self.rendering
            self.threads += self.storing.start()
        if messages.WEBHOOKS in queues:
            _ = self.delivering

    def close(self) -> None:
        """Let go of connections."""
        for name in ("publisher", "sender", "documents", "artifacts", "wake", "db"):
            if name in self.__dict__:
                self.__dict__[name].close()
