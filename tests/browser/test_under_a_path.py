"""The console below the path of the public URL: page, modules, calls and links."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.demo import Api
from ops.servers.process import free_port, wait_until
from tests.browser.chromium import DESKTOP, Chromium
from tests.embedded import own

UNDER = "/tools/reports"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    port = free_port()
    environ = own(tmp_path, port, REPORTQ_PUBLIC_URL=f"http://127.0.0.1:{port}{UNDER}")
    with Api(tmp_path / "api", port, environ) as running:
        yield running


@pytest.mark.parametrize("path", [UNDER, f"{UNDER}/", "/"])
def test_the_console_finds_everything_below_the_public_urls_path(chromium: Chromium, api: Api, path: str) -> None:
    chromium.look(DESKTOP)
    chromium.complaints()
    for page in ("", "#/jobs", "#/dead-letters", "#/queues"):
        chromium.driver.get(f"{api.url}{path}{page}")
        wait_until(
            lambda: "As of" in chromium.driver.execute_script("return document.body.innerText"), 30, "it is loaded"
        )
    asked = chromium.driver.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert asked
    assert [url for url in asked if not url.startswith(f"{api.url}{UNDER}/")] == []
    assert chromium.complaints() == []
