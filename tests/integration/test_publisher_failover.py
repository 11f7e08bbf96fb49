"""Several nodes in REPORTQ_BROKER_URL: a node that hangs is passed over (DESIGN §2.1, issue of the cluster)."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pika
import pytest

from middleware.broker import open_broker, open_publisher
from middleware.publisher import RabbitPublisher
from ops.servers.rabbitmq import RabbitMQ
from ops.servers.tcp_proxy import TcpProxy
from schema.ports import Hint
from schema.settings import Settings


@pytest.fixture
def hanging(rabbitmq: RabbitMQ) -> Iterator[TcpProxy]:
    """A node that accepts connections and says nothing."""
    with TcpProxy(rabbitmq.port) as proxy:
        proxy.blackhole()
        yield proxy
        proxy.heal()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # pika leaves the socket of a connection that never opened
        for _ in range(3):
            gc.collect()


def test_a_node_that_hangs_is_passed_over(rabbitmq: RabbitMQ, hanging: TcpProxy) -> None:
    settings = Settings(broker_url=f"{rabbitmq.at(hanging.port)};{rabbitmq.amqp_url}", broker_timeout=3.0)
    publisher = open_publisher(settings, open_broker(settings, []))
    assert isinstance(publisher, RabbitPublisher)
    try:
        for number in range(3):
            assert publisher.publish([Hint("pdf", "render_pdf", f"job-{number}")]) == [True]
        hanging.heal()  # what hung opens late: it must not disturb the one in use
        for number in range(3, 6):
            assert publisher.publish([Hint("pdf", "render_pdf", f"job-{number}")]) == [True]
    finally:
        publisher.close()
        with pika.BlockingConnection(pika.URLParameters(rabbitmq.admin_url)) as connection:
            connection.channel().queue_purge("pdf")
