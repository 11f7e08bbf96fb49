"""One connection to RabbitMQ that publishes with confirms, driven by pika's event loop in a thread of its own."""

import contextlib
import threading
from typing import Any

import pika

from schema.environment.server_urls import bracketed
from schema.errors import DependencyDown


class Batch:
    """Confirms awaited by one publish call."""

    def __init__(self, count: int) -> None:
        self.results = [False] * count
        self.waiting = count
        self.returned: set[str] = set()
        self.done = threading.Event()


class ConfirmingLine:
    """One connection with its thread; pika cannot mend a broken one, so it is made anew."""

    def __init__(self, node: pika.connection.Parameters, timeout: float) -> None:
        self._channel: Any = None
        self._next_tag = 1
        self._open: dict[int, tuple[Batch, int, str]] = {}
        self._opened = threading.Event()
        self.usable = False
        self.blocked = ""  # why RabbitMQ takes nothing on this connection; empty: it does
        self._connection: Any = pika.SelectConnection(
            node,
            on_open_callback=self._on_open,
            on_open_error_callback=self._lost,
            on_close_callback=self._lost,
        )
        self.thread = threading.Thread(target=self._run, name="rabbitmq-publisher", daemon=True)
        self.thread.start()
        if not (self._opened.wait(timeout) and self.usable):
            self.stop()
            raise DependencyDown("broker", f"RabbitMQ at {bracketed(node.host)}:{node.port} does not answer.")

    def _run(self) -> None:
        try:
            self._connection.ioloop.start()
        except Exception:
            self._lost()
        with contextlib.suppress(Exception):
            self._connection.ioloop.close()  # otherwise its two sockets stay open until the next garbage collection

    def _on_open(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.connection.add_on_connection_blocked_callback(
            lambda _connection, frame: self._block(frame.method.reason)
        )
        channel.connection.add_on_connection_unblocked_callback(lambda _connection, _frame: self._block(""))
        channel.add_on_close_callback(lambda _ch, _reason: self._channel_lost())
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=self._on_ready)

    def _block(self, reason: str) -> None:
        self.blocked = reason

    def _on_ready(self, _frame: Any) -> None:
        self.usable = True
        self._opened.set()

    def _lost(self, *_told: object) -> None:
        with contextlib.suppress(Exception):
            self._connection.ioloop.stop()
        self._fail()

    def _channel_lost(self) -> None:
        """The broker has closed the channel, or its connection is closing. Close the connection, or its socket stays open."""
        self._fail()
        if self._connection.is_open:
            self._close()

    def _fail(self) -> None:
        self.usable = False
        self._opened.set()
        pending, self._open = list(self._open.values()), {}
        for batch, _, _ in pending:
            batch.done.set()

    def publish(self, messages: list[tuple[str, bytes, int, str]]) -> Batch:
        """Send each route, body, priority and id; the batch gets their confirms."""
        batch = Batch(len(messages))
        try:
            self._connection.ioloop.add_callback_threadsafe(lambda: self._send(batch, messages))
        except Exception:  # its thread has just ended
            batch.done.set()
        return batch

    def _send(self, batch: Batch, messages: list[tuple[str, bytes, int, str]]) -> None:
        try:
            for place, (route, body, priority, key) in enumerate(messages):
                self._open[self._next_tag] = (batch, place, key)
                self._next_tag += 1
                properties = pika.BasicProperties(
                    delivery_mode=2, priority=priority, content_type="application/json", message_id=key
                )
                self._channel.basic_publish("", route, body, properties, mandatory=True)
        except Exception:
            self._lost()

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
        """Give up the connection, from outside its thread."""
        try:
            self._connection.ioloop.add_callback_threadsafe(self._close)
        except Exception:
            self._lost()

    def _close(self) -> None:
        try:
            self._connection.close()
        except Exception:
            self._lost()
