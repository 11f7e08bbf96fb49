"""Publishes hints to RabbitMQ: many confirms in flight, bounded in time even when the broker hangs.

One connection of its own with pika's event loop in a thread (pika has no recovery: a broken one is thrown away and made
anew). A confirm that does not come within `timeout` counts as not published; the row stays due and goes out again.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pika
import pika.exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from middleware.rabbitmq.broker_faults import why
from schema.environment import server_urls
from schema.environment.server_urls import bracketed
from schema.errors import DependencyDown
from schema.ports import Message
from schema.rows.messages import xq

Encode = Callable[[Message], bytes]


class _Batch:
    """Confirms awaited by one publish call."""

    def __init__(self, count: int) -> None:
        self.results = [False] * count
        self.waiting = count
        self.returned: set[str] = set()
        self.done = threading.Event()


class RabbitPublisher:
    """The `Publisher` port on RabbitMQ. One caller at a time publishes; `ready` and `ping` may be asked beside it."""

    def __init__(
        self,
        parameters: Sequence[pika.connection.Parameters],
        *,
        timeout: float,
        encode: Encode,
        declare: Callable[..., None],
        queues: Sequence[str],
    ) -> None:
        self._parameters = list(parameters)
        self._timeout = timeout
        self._encode = encode
        self._declare = declare  # on a channel; with `only`, those of these names
        self._queues = queues
        self._mutex = threading.Lock()
        self._loop: _Loop | None = None

    def publish(self, hints: Sequence[Message]) -> list[bool]:
        """Publish and wait for all confirms, at most `timeout` seconds; raises DependencyDown when not connected."""
        if not hints:
            return []
        with self._mutex:
            loop = self._connected()
            batch = loop.publish([(_route(h), self._encode(h), h.priority, h.key) for h in hints])
            if not batch.done.wait(self._timeout) or batch.returned:
                # Confirms of a connection that stalls are worth nothing any more; and when a queue is gone, the next
                # connection declares it.
                self._drop()
            return list(batch.results)

    def ready(self, queue: str) -> int:
        """Messages that wait in a queue (passive declare)."""
        return int(self._blocking(lambda channel: channel.queue_declare(queue, passive=True).method.message_count))

    def ping(self) -> None:
        """Raise DependencyDown unless a connection can be opened, and those queues that are there are as we declare them."""
        self._blocking(lambda channel: self._declare(channel, only=_there(channel, self._queues)))

    def call(self, work: Callable[[Any], Any], seconds: float | None = None) -> Any:
        """Run `work(channel)` on a short-lived blocking channel, cut after `seconds` (the broker's timeout)."""
        return self._blocking(work, seconds)

    def close(self) -> None:
        with self._mutex:
            loop = self._loop
            self._drop()
        if loop is not None:
            loop.thread.join(1.0)  # its goodbye; a broker that hangs is not waited for

    def _connected(self) -> _Loop:
        if self._loop is None or not self._loop.usable:
            self._drop()
            self._loop = self._connect()
        return self._loop

    def _connect(self) -> _Loop:
        """A connection to the first node that takes one; it is asked first from then on, so that nodes which hang cost
        their time once."""
        for node in self._parameters:
            try:
                self._blocking(self._declare, nodes=[node])
                loop = _Loop(node, self._timeout)
            except DependencyDown as error:
                failure = error
                continue
            self._parameters = [node, *(other for other in self._parameters if other is not node)]
            return loop
        raise failure

    def _drop(self) -> None:
        if self._loop is not None:
            self._loop.stop()
            self._loop = None

    def _blocking(
        self,
        work: Callable[[Any], Any],
        seconds: float | None = None,
        nodes: Sequence[pika.connection.Parameters] = (),
    ) -> Any:
        try:
            connection = pika.BlockingConnection(list(nodes or self._parameters))
        except (pika.exceptions.AMQPError, AMQPConnectorException, OSError) as error:
            raise DependencyDown("broker", why(error)) from error
        timer = threading.Timer(seconds or self._timeout, lambda: sever(connection))
        timer.daemon = True
        timer.start()
        try:
            return work(connection.channel())
        except (pika.exceptions.AMQPError, OSError, AttributeError, ValueError) as error:
            raise DependencyDown("broker", why(error)) from error
        finally:
            timer.cancel()
            try:
                connection.close()
            except (pika.exceptions.AMQPError, OSError, AttributeError, ValueError):
                pass


def _there(channel: Any, queues: Sequence[str]) -> set[str]:
    """Those of these queues that somebody has declared; each is asked for on a channel of its own, which a "no" closes."""
    found = set()
    for queue in queues:
        try:
            channel.connection.channel().queue_declare(queue, passive=True)
            found.add(queue)
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code != 404:
                raise
    return found


def _route(hint: Message) -> str:
    return xq(hint.queue) if "dead_letter_id" in hint.options else hint.queue


def sever(connection: Any) -> None:
    """Cut a blocking connection, also from another thread: a cluster without its quorum never answers by itself, and an
    orderly end would first read all that was asked for. Whoever waits for it is told that the connection is lost."""
    try:
        socket.socket.shutdown(connection._impl._transport._sock, socket.SHUT_RDWR)
    except Exception:
        pass


class _Loop:
    """One connection and its thread."""

    def __init__(self, node: pika.connection.Parameters, timeout: float) -> None:
        self._channel: Any = None
        self._connection: Any = None
        self._next_tag = 1
        self._open: dict[int, tuple[_Batch, int, str]] = {}
        self._opened = threading.Event()
        self.usable = False
        self._connection = pika.SelectConnection(
            node,
            on_open_callback=self._on_open,
            on_open_error_callback=lambda connection, _error: self._lost(connection),
            on_close_callback=lambda connection, _error: self._lost(connection),
        )
        self.thread = threading.Thread(
            target=self._run, args=(self._connection,), name="rabbitmq-publisher", daemon=True
        )
        self.thread.start()
        if not (self._opened.wait(timeout) and self.usable):
            self.stop()
            raise DependencyDown("broker", f"RabbitMQ at {bracketed(node.host)}:{node.port} does not answer.")

    def _run(self, connection: Any) -> None:
        try:
            connection.ioloop.start()
        except Exception:
            self._lost(connection)
        try:
            connection.ioloop.close()  # or its two sockets would stay until somebody collects garbage
        except Exception:
            pass

    def _on_open(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(lambda _ch, _reason: self._channel_lost())
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=self._on_ready)

    def _on_ready(self, _frame: Any) -> None:
        self.usable = True
        self._opened.set()

    def _lost(self, connection: Any) -> None:
        try:
            connection.ioloop.stop()
        except Exception:
            pass
        self._fail()

    def _channel_lost(self) -> None:
        """The broker has closed the channel, or its connection is being closed: the rest of it goes in order, or its
        socket would stay open."""
        self._fail()
        if self._connection.is_open:
            self._close(self._connection)

    def _fail(self) -> None:
        self.usable = False
        self._opened.set()
        pending, self._open = list(self._open.values()), {}
        for batch, _, _ in pending:
            batch.done.set()

    def publish(self, messages: list[tuple[str, bytes, int, str]]) -> _Batch:
        batch = _Batch(len(messages))
        try:
            self._connection.ioloop.add_callback_threadsafe(lambda: self._send(batch, messages))
        except Exception:  # its thread has just ended
            batch.done.set()
        return batch

    def _send(self, batch: _Batch, messages: list[tuple[str, bytes, int, str]]) -> None:
        try:
            for place, (route, body, priority, key) in enumerate(messages):
                self._open[self._next_tag] = (batch, place, key)
                self._next_tag += 1
                properties = pika.BasicProperties(
                    delivery_mode=2, priority=priority, content_type="application/json", message_id=key
                )
                self._channel.basic_publish("", route, body, properties, mandatory=True)
        except Exception:
            self._lost(self._connection)

    def _on_return(self, _channel: Any, _method: Any, properties: Any, _body: bytes) -> None:
        """A message for a queue that does not exist comes back before its confirm."""
        for batch, _, _ in self._open.values():
            batch.returned.add(str(properties.message_id))

    def _on_confirm(self, frame: Any) -> None:
        acked = isinstance(frame.method, pika.spec.Basic.Ack)
        tag = frame.method.delivery_tag
        tags = [t for t in self._open if t <= tag] if frame.method.multiple else [tag]
        for one in tags:
            entry = self._open.pop(one, None)
            if entry is None:
                continue
            batch, place, key = entry
            batch.results[place] = acked and key not in batch.returned
            batch.waiting -= 1
            if batch.waiting == 0:
                batch.done.set()

    def stop(self) -> None:
        """Give the connection up from outside its thread."""
        connection = self._connection
        try:
            connection.ioloop.add_callback_threadsafe(lambda: self._close(connection))
        except Exception:
            self._lost(connection)

    def _close(self, connection: Any) -> None:
        try:
            connection.close()
        except Exception:
            self._lost(connection)


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
