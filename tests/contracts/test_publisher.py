"""The Publisher port on both brokers: what is confirmed is there, and what is not there is not confirmed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from middleware.rabbitmq.broker import open_broker, open_publisher
from ops.servers.process import wait_until
from ops.servers.rabbitmq import RabbitMQ
from schema.errors import DependencyDown
from schema.ports import Message, Publisher
from schema.rows.messages import ACTORS, QUEUES, RENDER, WEBHOOKS, xq
from schema.settings import Settings


@pytest.fixture(params=["memory", "classic", "quorum"])
def publisher(request: pytest.FixtureRequest) -> Iterator[Publisher]:
    """An empty broker's publisher."""
    server: RabbitMQ | None = None
    settings = Settings()
    if request.param != "memory":
        server = request.getfixturevalue("rabbitmq")
        assert isinstance(server, RabbitMQ)
        _delete_queues(server)
        settings = Settings(broker_url=server.amqp_url, queue_type=request.param, broker_timeout=10.0)
    opened = open_publisher(settings, open_broker(settings, []))
    yield opened
    opened.close()
    if server is not None:
        _delete_queues(server)  # nobody could declare them with another type


def _delete_queues(server: RabbitMQ) -> None:
    for name in list(server.queues()):
        server.api("DELETE", f"queues/%2F/{name}")


def hint(queue: str, number: int, **more: int) -> Message:
    return Message(queue, ACTORS[queue], f"key-{number}", **more)


def test_what_is_confirmed_waits_in_its_queue(publisher: Publisher) -> None:
    assert publisher.publish([hint(RENDER, 1), hint(WEBHOOKS, 2), hint(RENDER, 3)]) == [True, True, True]
    assert {queue: publisher.ready(queue) for queue in QUEUES} == {RENDER: 2, WEBHOOKS: 1}


def test_many_hints_are_confirmed_one_by_one_in_their_order(publisher: Publisher) -> None:
    assert publisher.publish([hint(RENDER, number) for number in range(500)]) == [True] * 500
    assert publisher.ready(RENDER) == 500


def test_nothing_is_published_by_an_empty_list(publisher: Publisher) -> None:
    assert publisher.publish([]) == []


def test_a_broker_that_is_there_can_be_asked(publisher: Publisher) -> None:
    publisher.ping()
    publisher.publish([hint(RENDER, 1)])
    assert publisher.ready(WEBHOOKS) == 0


def test_a_high_hint_goes_first_and_carries_the_key_alone(rabbitmq: RabbitMQ) -> None:
    _delete_queues(rabbitmq)
    settings = Settings(broker_url=rabbitmq.amqp_url)
    opened = open_publisher(settings, open_broker(settings, []))
    try:
        opened.publish([hint(RENDER, number, priority=priority) for number, priority in ((1, 0), (2, 5), (3, 9))])
    finally:
        opened.close()
    bodies = [json.loads(message["payload"]) for message in rabbitmq.get_messages(RENDER)]
    assert [body["args"] for body in bodies] == [["key-3"], ["key-2"], ["key-1"]]
    assert all(body["kwargs"] == {} and body["options"] == {} for body in bodies)


@pytest.mark.parametrize("publisher", ["classic", "quorum"], indirect=True)
def test_a_message_that_was_looked_at_often_is_still_there(publisher: Publisher, rabbitmq: RabbitMQ) -> None:
    publisher.publish([hint(RENDER, 1), replace(hint(RENDER, 2), options={"dead_letter_id": "dl_2"})])
    for queue in (RENDER, xq(RENDER)):
        # Unless told otherwise, RabbitMQ 4 drops what came back to a quorum queue more than 20 times.
        for _ in range(25):
            assert len(rabbitmq.get_messages(queue)) == 1
        # A quorum queue counts what came back a moment after it took it.
        wait_until(lambda name=queue: rabbitmq.waiting(name) == 1, 10, "the message waits")  # type: ignore[misc]


def test_a_broker_that_is_away_is_said_to_be_so(rabbitmq: RabbitMQ) -> None:
    settings = Settings(broker_url="amqp://nobody:x@127.0.0.1:1/", broker_timeout=2.0)
    opened = open_publisher(settings, open_broker(settings, []))
    for ask in (lambda: opened.publish([hint(RENDER, 1)]), opened.ping, lambda: opened.ready(RENDER)):
        with pytest.raises(DependencyDown) as told:
            ask()
        assert told.value.dependency == "broker"
    opened.close()
