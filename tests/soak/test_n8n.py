"""The troubles between n8n and us once more, with more executions and for longer than `tests/n8n` takes."""

from __future__ import annotations

import pytest

from ops.servers.tcp_proxy import TcpProxy
from tests.n8n.conftest import System, breaking, code, keyed, n8n, person, system, way
from tests.n8n.crowds import (
    callbacks_come_too_early,
    items_of_which_five_are_bad,
    n8n_is_away,
    n8n_is_killed,
    the_api_is_away,
)
from tests.n8n.server import N8n

__all__ = ["breaking", "code", "keyed", "n8n", "person", "system", "way"]  # fixtures
pytestmark = pytest.mark.timeout(1800)


def test_callbacks_that_come_before_the_wait_node_are_delivered_twenty_of_twenty(
    n8n: N8n, system: System, code: str
) -> None:
    callbacks_come_too_early(n8n, system, code, 20)


def test_n8n_away_for_a_minute_with_twenty_executions_waiting(n8n: N8n, system: System, code: str) -> None:
    n8n_is_away(n8n, system, code, 20, seconds=60)


def test_twenty_executions_wait_while_n8n_is_killed(n8n: N8n, system: System, code: str) -> None:
    n8n_is_killed(n8n, system, code, 20)


def test_the_api_away_for_a_minute_loses_and_doubles_nothing(
    n8n: N8n, system: System, way: TcpProxy, code: str
) -> None:
    the_api_is_away(n8n, system, way, code, tries=8)


def test_three_hundred_items_of_which_five_are_bad(n8n: N8n, system: System, code: str) -> None:
    items_of_which_five_are_bad(n8n, system, code, 300)
