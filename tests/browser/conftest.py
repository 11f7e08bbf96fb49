"""The real system with keys, and one Chromium that has the operator's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ops.stack import Stack
from tests.browser.chromium import DESKTOP, Chromium
from tests.browser.scenes import KEYS, OPERATOR, Scene, play


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """MariaDB, RabbitMQ, MongoDB's wire protocol, a folder for PDFs, and the programs of production."""
    settings = {"REPORTQ_API_KEYS": KEYS, "REPORTQ_CLEANUP_COMPLETED_AFTER": "36000"}
    with Stack(tmp_path_factory.mktemp("console"), drive=False, settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def scene(stack: Stack) -> Scene:
    """The jobs, ended."""
    return play(stack)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    browser = Chromium(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def console(chromium: Chromium, stack: Stack) -> Chromium:
    """On the overview, signed in as an operator, as light desktop."""
    chromium.look(DESKTOP)
    sign_in(chromium, stack, OPERATOR)
    chromium.complaints()
    return chromium


def sign_in(browser: Chromium, stack: Stack, key: str) -> None:
    """The key as if it had been typed in this tab."""
    browser.driver.get(stack.url + "/console/icon.svg")
    browser.driver.execute_script("sessionStorage.setItem('reportq-key', arguments[0])", key)
    browser.driver.get(stack.url + "/")
