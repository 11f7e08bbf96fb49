"""Scheme → broker and publisher, and THE ordered stack of middleware in one list."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.common import dq_name

from middleware.rabbitmq.incoming import Consumer
from middleware.rabbitmq.publisher import RabbitPublisher, parameters_of
from schema.ports import Message, Publisher
from schema.rows.messages import MAX_PRIORITY, QUEUES, xq
from schema.settings import Settings

# Milliseconds a copy stays in .XQ: 49 days, about the most RabbitMQ's timer takes (2^32 ms). The row stays for ever.
LETTERS_KEPT = 49 * 86_400_000
# Quorum queues count how often a message came back and drop it beyond a limit, which RabbitMQ 4 sets to 20 where nothing
# is said: so often a hint may meet a stop, and a letter in .XQ somebody's look. Crashes are counted in rows.
RETURNS_ALLOWED = 1_000_000


def encode(hint: Message) -> bytes:
    """A hint as a Dramatiq message: it carries the row's key, never the job's contents."""
    if hint.raw is not None:
        return hint.raw
    message: dramatiq.Message[Any] = dramatiq.Message(
        queue_name=hint.queue, actor_name=hint.actor, args=(hint.key,), kwargs={}, options=dict(hint.options)
    )
    return message.encode()


class MemoryPublisher:
    """The `Publisher` port on Dramatiq's in-process StubBroker."""

    def __init__(self, broker: StubBroker) -> None:
        self._broker = broker

    def publish(self, hints: Sequence[Message]) -> list[bool]:
        """Enqueue at once. Copies of dead letters have no queue here: the row is the only desk."""
        for hint in hints:
            if "dead_letter_id" not in hint.options and hint.raw is None:
                self._broker.enqueue(dramatiq.Message.decode(encode(hint)))
        return [True] * len(hints)

    def ready(self, queue: str) -> int:
        """Messages waiting in the process."""
        return int(self._broker.queues[queue].qsize())

    def ping(self) -> None:
        """The process that asks is the broker."""

    def close(self) -> None:
        """Nothing to close: the queues end with their process."""


class GuardedBroker(RabbitmqBroker):
    """Hands Dramatiq what messages mean, never the messages."""

    @property
    def consumer_class(self) -> type[Consumer]:
        return Consumer


class ClassicBroker(GuardedBroker):
    """Classic queues with priorities; dead letters stay in `.XQ` as long as RabbitMQ can count."""

    def _declare_xq_queue(self, queue_name: str) -> Any:
        return self.channel.queue_declare(
            queue=xq(queue_name), durable=True, arguments={"x-message-ttl": LETTERS_KEPT}
        )  # fmt: skip


class QuorumBroker(GuardedBroker):
    """Queues replicated by Raft; they refuse `x-max-priority`, so the order of jobs is the admission's alone."""

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return {
            "x-queue-type": "quorum",
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": xq(queue_name),
            "x-delivery-limit": RETURNS_ALLOWED,
        }

    def _declare_xq_queue(self, queue_name: str) -> Any:
        return self.channel.queue_declare(
            queue=xq(queue_name),
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-message-ttl": LETTERS_KEPT,
                "x-delivery-limit": RETURNS_ALLOWED,
            },
        )


def open_broker(settings: Settings, stack: Sequence[dramatiq.Middleware]) -> dramatiq.Broker:
    """The broker of `settings.broker_url` with this stack, its queues named but nothing connected yet."""
    broker = _BROKERS[settings.broker_url.partition(":")[0]](settings)
    broker.middleware.clear()
    for one in stack:
        broker.add_middleware(one)
    dramatiq.set_broker(broker)
    return broker


def open_publisher(settings: Settings, broker: dramatiq.Broker) -> Publisher:
    """The publisher that belongs to a broker."""
    if isinstance(broker, StubBroker):
        for queue in QUEUES:
            broker.declare_queue(queue)
        return MemoryPublisher(broker)
    assert isinstance(broker, RabbitmqBroker)
    return RabbitPublisher(
        parameters_of(settings.broker_url, timeout=settings.broker_timeout),
        timeout=settings.broker_timeout,
        encode=encode,
        declare=lambda channel, only=None: declare(broker, channel, only),
        queues=[name for queue in QUEUES for name in (queue, dq_name(queue), xq(queue))],
    )


def declare(broker: Any, channel: Any, only: Collection[str] | None = None) -> None:
    """Declare every queue (of the names `only`) on this channel exactly as Dramatiq's consumers will."""
    broker.state.channel = channel
    try:
        for queue in QUEUES:
            for name, work in (
                (queue, broker._declare_queue),
                (dq_name(queue), broker._declare_dq_queue),
                (xq(queue), broker._declare_xq_queue),
            ):
                if only is None or name in only:
                    work(queue)
    finally:
        del broker.state.channel


def _rabbitmq(settings: Settings) -> dramatiq.Broker:
    kind = QuorumBroker if settings.queue_type == "quorum" else ClassicBroker
    priority = None if settings.queue_type == "quorum" else MAX_PRIORITY
    broker = kind(confirm_delivery=True, max_priority=priority)
    broker.parameters = parameters_of(settings.broker_url, timeout=settings.broker_timeout, heartbeat=60)
    return broker


_BROKERS: dict[str, Callable[[Settings], dramatiq.Broker]] = {
    "memory": lambda settings: StubBroker(),
    "amqp": _rabbitmq,
    "amqps": _rabbitmq,
}
