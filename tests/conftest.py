"""The real servers of the tests: private, started when first asked for, ended with the session."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.servers.drive import DriveDouble
from ops.servers.mariadb import MariaDB
from ops.servers.mongodb import MongoWire
from ops.servers.rabbitmq import RabbitMQ
from ops.servers.small_disk import SmallDisk


def pytest_addoption(parser: pytest.Parser) -> None:
    """`ops/test crashes --times 10`; `--without-servers` is what `ops/test quick` leaves out."""
    parser.addoption("--times", type=int, default=1, help="how often each crash test runs")
    parser.addoption("--without-servers", action="store_true", help="only tests that need no server")


def pytest_configure() -> None:
    """A shell starts what it puts into the background with Ctrl-C ignored; what the tests start would inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test needs a server when it asks for one of the fixtures below, is one of a pair that runs on it, or says so."""
    if not config.getoption("--without-servers"):
        return
    needs = [
        item
        for item in items
        if _SERVERS & {*item.fixturenames, *_words(item)}  # type: ignore[attr-defined]
        or item.get_closest_marker("own_server")
    ]
    config.hook.pytest_deselected(items=needs)
    items[:] = [item for item in items if item not in set(needs)]


_SERVERS = {"mariadb", "mongo", "mongodb", "rabbitmq", "drive", "classic", "quorum", "gdrive"}


def _words(item: pytest.Item) -> set[str]:
    """The words of a test's parameters: `table-mariadb` runs on MariaDB."""
    return set(item.name.partition("[")[2].rstrip("]").split("-"))


@pytest.fixture(scope="session")
def memory() -> Iterator[Path]:
    """A folder in memory, where the host has one: for databases of tests that would only wait for the disk."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """MariaDB with the empty database `reportq`."""
    with MariaDB(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture(scope="session")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoWire]:
    """A server that speaks MongoDB's wire protocol."""
    with MongoWire(tmp_path_factory.mktemp("mongodb")) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """RabbitMQ with its management API."""
    with RabbitMQ(tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


@pytest.fixture(scope="session")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DriveDouble]:
    """A double of Google Drive's API that can be told to fail."""
    with DriveDouble(tmp_path_factory.mktemp("drive")) as server:
        yield server


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., SmallDisk]]:
    """Makes disks of so many bytes, mounted until the test is over; a host that mounts nothing fails the test."""
    with contextlib.ExitStack() as mounted:
        yield lambda size, name="disk": mounted.enter_context(SmallDisk(tmp_path / name, size))
