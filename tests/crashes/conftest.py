"""One stack with short leases for all crash tests; --times N runs each of them N times."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ops.sample_report import CODE, PRODUCT, SAMPLE
from ops.stack import Stack

CLOCKS = {
    "REPORTQ_LEASE": "3",
    "REPORTQ_HEARTBEAT": "0.7",
    "REPORTQ_SWEEP": "0.3",
    "REPORTQ_RELAY_HOLD": "2",
    "REPORTQ_LOST_HINT_AFTER": "3",
    "REPORTQ_RETRY_BACKOFF": "0.5",
    "REPORTQ_WEBHOOK_SCALE": "0.1",
    "REPORTQ_HOST_PROBE_EVERY": "1",
    "REPORTQ_PROBE_EVERY": "1",
    "REPORTQ_BROKER_TIMEOUT": "3",
}

MODULES = {"actors.worker": "tests.crashes.worker", "actors.relay": "tests.crashes.relay"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    times = metafunc.config.getoption("--times")
    if "crash_round" in metafunc.fixturenames:
        metafunc.parametrize("crash_round", range(times))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("crashes")
    with Stack(folder, settings=CLOCKS, modules=MODULES) as stack:
        stack.save_report(CODE, PRODUCT, json.loads(SAMPLE.read_text()))
        yield stack
