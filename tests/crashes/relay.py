"""A relay that kills itself once its hints are confirmed and before it has marked their rows."""

from __future__ import annotations

from actors.relay import main
from middleware.rabbitmq.publisher import RabbitPublisher
from tests.crashes.points import after

RabbitPublisher.publish = after("after publish", RabbitPublisher.publish)  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
