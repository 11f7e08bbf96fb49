"""Publishes messages to RabbitMQ: many confirms in flight, bounded in time even when the broker hangs.

A message whose confirm does not come within `timeout` counts as not published: its row stays due and goes out again.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pika
import pika.exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from middleware.rabbitmq.broker_faults import why
from middleware.rabbitmq.confirms import ConfirmingLine
from schema.environment import server_urls
from schema.errors import DependencyDown
from schema.ports import Message
from schema.rows.messages import xq


@dataclass(eq=False)
class RabbitPublisher:
    """The `Publisher` port on RabbitMQ. One caller at a time publishes; `ready` and `ping` may be asked beside it."""

    parameters: Sequence[pika.connection.Parameters]
    timeout: float
    encode: Callable[[Message], bytes]
    declare: Callable[..., None]  # on a channel; with `only`, just the queues of these names
    queues: Sequence[str]
    _mutex: threading.Lock = field(default_factory=threading.Lock)
    _line: ConfirmingLine | None = None

    def publish(self, sent: Sequence[Message]) -> list[bool]:
        """Publish and wait for all confirms, at most `timeout` seconds; raises DependencyDown when not connected."""
        if not sent:
            return []
        with self._mutex:
            line = self._connected()
            batch = line.publish([(_route(one), self.encode(one), one.priority, one.key) for one in sent])
            if not batch.done.wait(self.timeout) or batch.returned:
                # A connection that stalls is given up. One that lacked a queue is too: the next one declares the queue.
                self._drop()
            if line.blocked and not any(batch.results):
                raise DependencyDown("broker", f"RabbitMQ blocks publishing: {line.blocked}.")
            return list(batch.results)

    def ready(self, queue: str) -> int:
        """Messages that wait in a queue (passive declare)."""
        return int(self.call(lambda channel: channel.queue_declare(queue, passive=True).method.message_count))

    def ping(self) -> None:
        """Raise DependencyDown unless a connection opens and every queue that exists has the arguments we declare."""
        self.call(lambda channel: self.declare(channel, only=_there(channel, self.queues)))

    def call(
        self, work: Callable[[Any], Any], seconds: float | None = None, nodes: Sequence[pika.connection.Parameters] = ()
    ) -> Any:
        """Run `work(channel)` on a short-lived blocking channel, cut after `seconds` (the broker's timeout)."""
        try:
            connection = pika.BlockingConnection(list(nodes or self.parameters))
        except (pika.exceptions.AMQPError, AMQPConnectorException, OSError) as error:
            raise DependencyDown("broker", why(error)) from error
        timer = threading.Timer(seconds or self.timeout, lambda: sever(connection))
        timer.daemon = True
        timer.start()
        try:
            return work(connection.channel())
        except (pika.exceptions.AMQPError, OSError, AttributeError, ValueError) as error:
            raise DependencyDown("broker", why(error)) from error
        finally:
            timer.cancel()
            with contextlib.suppress(pika.exceptions.AMQPError, OSError, AttributeError, ValueError):
                connection.close()

    def close(self) -> None:
        with self._mutex:
            line = self._line
            self._drop()
        if line is not None:
            line.thread.join(1.0)  # time to say goodbye, and no more for a broker that hangs

    def _connected(self) -> ConfirmingLine:
        """The connection, or a new one to the first node that takes it.

        That node comes first from then on, so that a node that hangs costs its time once.
        """
        if self._line is not None and self._line.usable:
            return self._line
        self._drop()
        for node in self.parameters:
            try:
                self.call(self.declare, nodes=[node])
                self._line = ConfirmingLine(node, self.timeout)
            except DependencyDown as error:
                failure = error
                continue
            self.parameters = [node, *(other for other in self.parameters if other is not node)]
            return self._line
        raise failure

    def _drop(self) -> None:
        if self._line is not None:
            self._line.stop()
            self._line = None


def _there(channel: Any, queues: Sequence[str]) -> set[str]:
    """Those of these queues that exist. Each question has a channel of its own, because a "no" closes the channel."""
    found = set()
    for queue in queues:
        try:
            channel.connection.channel().queue_declare(queue, passive=True)
            found.add(queue)
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code != 404:
                raise
    return found


def _route(message: Message) -> str:
    return xq(message.queue) if "dead_letter_id" in message.options else message.queue


def sever(connection: Any) -> None:
    """Cut a blocking connection, also from another thread; whoever waits for it is told that it is lost.

    A cluster without its quorum never answers. An orderly end would first read everything that was asked for.
    """
    with contextlib.suppress(Exception):
        socket.socket.shutdown(connection._impl._transport._sock, socket.SHUT_RDWR)


def parameters_of(url: str, *, timeout: float, heartbeat: int = 30) -> list[pika.ConnectionParameters]:
    """Connection parameters of `amqp://…` (several nodes separated by ';'), every wait bounded by `timeout` seconds."""
    found = []
    for node in server_urls.rabbitmq(url):
        user = "guest" if node.user is None else node.user
        password = "guest" if node.user is None else node.password
        found.append(
            pika.ConnectionParameters(
                host=node.host or "localhost",
                port=node.port or (5671 if node.tls else 5672),
                virtual_host=node.name or "/",
                credentials=pika.PlainCredentials(user, password),
                ssl_options=pika.SSLOptions(node.tls.context(), node.tls.name) if node.tls else None,
                socket_timeout=timeout,
                stack_timeout=timeout,
                blocked_connection_timeout=timeout,
                connection_attempts=1,
                heartbeat=heartbeat,
            )
        )
    return found
