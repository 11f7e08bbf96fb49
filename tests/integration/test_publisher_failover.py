"""Several nodes in REPORTQ_BROKER_URL: a node that hangs is passed over (DESIGN §2.1)."""

from __future__ import annotations

import gc
import logging
import warnings
from collections.abc import Iterator

import pika
import pytest

from middleware.rabbitmq.broker import open_broker, open_publisher
from middleware.rabbitmq.publisher import RabbitPublisher
from ops.servers.rabbitmq import RabbitMQ
from ops.servers.tcp_proxy import TcpProxy
from schema.ports import Message
from schema.settings import Settings

# pika leaves the socket of a connection that never opened, or was cut, to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def leaves_no_sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever pika left is collected here; a kept log record would hold it until the tests' very end."""
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "pika"]:
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(3):
            gc.collect()


@pytest.fixture
def hanging(rabbitmq: RabbitMQ) -> Iterator[TcpProxy]:
    """A node that accepts connections and says nothing."""
    with TcpProxy(rabbitmq.port) as proxy:
        proxy.blackhole()
        yield proxy
        proxy.heal()


def test_a_node_that_hangs_is_passed_over(rabbitmq: RabbitMQ, hanging: TcpProxy) -> None:
    settings = Settings(broker_url=f"{rabbitmq.at(hanging.port)};{rabbitmq.amqp_url}", broker_timeout=3.0)
    publisher = open_publisher(settings, open_broker(settings, []))
    assert isinstance(publisher, RabbitPublisher)
    try:
        for number in range(3):
            assert publisher.publish([Message("pdf", "render_pdf", f"job-{number}")]) == [True]
        hanging.heal()  # what hung opens late: it must not disturb the one in use
        for number in range(3, 6):
            assert publisher.publish([Message("pdf", "render_pdf", f"job-{number}")]) == [True]
    finally:
        publisher.close()
        with pika.BlockingConnection(pika.URLParameters(rabbitmq.admin_url)) as connection:
            connection.channel().queue_purge("pdf")


def test_a_node_that_hangs_costs_its_time_once(rabbitmq: RabbitMQ, hanging: TcpProxy) -> None:
    settings = Settings(broker_url=f"{rabbitmq.at(hanging.port)};{rabbitmq.amqp_url}", broker_timeout=2.0)
    publisher = open_publisher(settings, open_broker(settings, []))
    assert isinstance(publisher, RabbitPublisher)
    try:
        assert publisher.publish([Message("pdf", "render_pdf", "first")]) == [True]
        asked = hanging.accepted
        publisher._drop()
        assert publisher.publish([Message("pdf", "render_pdf", "second")]) == [True]
        assert hanging.accepted == asked
    finally:
        publisher.close()
        rabbitmq.purge("pdf")


def test_a_queue_that_somebody_deleted_is_declared_again(rabbitmq: RabbitMQ) -> None:
    settings = Settings(broker_url=rabbitmq.amqp_url, broker_timeout=5.0)
    publisher = open_publisher(settings, open_broker(settings, []))
    try:
        assert publisher.publish([Message("pdf", "render_pdf", "before")]) == [True]
        rabbitmq.api("DELETE", "queues/%2F/pdf")
        assert publisher.publish([Message("pdf", "render_pdf", "lost")]) == [False]
        assert publisher.publish([Message("pdf", "render_pdf", "again")]) == [True]
        assert publisher.ready("pdf") == 1
    finally:
        publisher.close()
        rabbitmq.purge("pdf")
