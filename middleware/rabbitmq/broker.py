"""The broker and the publisher of a broker URL: RabbitMQ, or Dramatiq's in-process broker."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.common import dq_name

from middleware.rabbitmq.incoming import Consumer
from middleware.rabbitmq.publisher import RabbitPublisher, parameters_of
from schema.ports import Message, Publisher
from schema.rows.messages import MAX_PRIORITY, QUEUES, xq
from schema.settings import Settings

# Milliseconds a copy stays in .XQ: 49 days, about the most that RabbitMQ's timer takes (2^32 ms). The row stays for ever.
LETTERS_KEPT = 49 * 86_400_000
# A quorum queue drops a message that came back too often: in RabbitMQ 4 after 20 times, unless we say more. A message
# comes back whenever a worker stops, and one in .XQ whenever a person looks at it. Rows count the crashes.
_QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}


def encode(sent: Message) -> bytes:
    """The message in Dramatiq's form: it carries the row's key, never the job's contents."""
    if sent.raw is not None:
        return sent.raw
    message: dramatiq.Message[Any] = dramatiq.Message(
        queue_name=sent.queue, actor_name=sent.actor, args=(sent.key,), kwargs={}, options=dict(sent.options)
    )
    return message.encode()


@dataclass(eq=False)
class MemoryPublisher:
    """The `Publisher` port on Dramatiq's in-process StubBroker."""

    broker: StubBroker

    def publish(self, sent: Sequence[Message]) -> list[bool]:
        """Enqueue at once. Copies of dead letters have no queue here: their rows are enough."""
        for one in sent:
            if "dead_letter_id" not in one.options and one.raw is None:
                self.broker.enqueue(dramatiq.Message.decode(encode(one)))
        return [True] * len(sent)

    def ready(self, queue: str) -> int:
        """Messages waiting in the process."""
        return int(self.broker.queues[queue].qsize())

    def ping(self) -> None:
        """The process that asks is the broker."""

    def close(self) -> None:
        """Nothing to close: the queues end with their process."""


class GuardedBroker(RabbitmqBroker):
    """Hands Dramatiq what messages mean, never the messages."""

    _letters_arguments: ClassVar[Mapping[str, Any]] = {"x-message-ttl": LETTERS_KEPT}

    @property
    def consumer_class(self) -> type[Consumer]:
        return Consumer

    def _declare_xq_queue(self, queue_name: str) -> Any:
        return self.channel.queue_declare(queue=xq(queue_name), durable=True, arguments=self._letters_arguments)


class QuorumBroker(GuardedBroker):
    """Queues replicated by Raft. They refuse `x-max-priority`, so the relay's admission alone orders the jobs."""

    _letters_arguments: ClassVar[Mapping[str, Any]] = {**_QUORUM, "x-message-ttl": LETTERS_KEPT}

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return {**_QUORUM, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": xq(queue_name)}


def open_broker(settings: Settings, stack: Sequence[dramatiq.Middleware]) -> dramatiq.Broker:
    """The broker of `settings.broker_url` with this stack, its queues named but nothing connected yet."""
    broker = StubBroker() if settings.embedded else _rabbitmq(settings)
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


def _rabbitmq(settings: Settings) -> RabbitmqBroker:
    kind = QuorumBroker if settings.queue_type == "quorum" else GuardedBroker
    priority = None if settings.queue_type == "quorum" else MAX_PRIORITY
    broker = kind(confirm_delivery=True, max_priority=priority)
    broker.parameters = parameters_of(settings.broker_url, timeout=settings.broker_timeout, heartbeat=60)
    return broker
