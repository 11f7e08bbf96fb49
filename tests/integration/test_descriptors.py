"""More connections than the limit of open files allows: those too many wait, and the process keeps what it needs."""

from __future__ import annotations

import http.client
import json
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ops.demo import Api
from ops.sample_report import PRODUCT, SAMPLE
from ops.servers.process import free_port, wait_until
from schema.host.descriptors import ENOUGH, for_callers
from schema.settings import Settings, SettingsError
from tests.embedded import own

pytestmark = pytest.mark.timeout(180)

LIMIT = 256


class Limited(Api):
    """The embedded default with few descriptors, soft and hard."""

    def command(self) -> list[str]:
        return ["sh", "-c", f'ulimit -n {LIMIT} && exec "$@"', "sh", *super().command()]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Limited]:
    port = free_port()
    environ = own(tmp_path, port)
    with Limited(tmp_path / "api", port, environ) as running:
        yield running


def test_a_flood_of_connections_costs_the_process_neither_its_life_nor_its_files(api: Limited) -> None:
    body = json.dumps({"code": "K1", "productId": PRODUCT, "data": json.loads(SAMPLE.read_text())})

    def asked(method: str, path: str, body: str | None = None) -> dict[str, object]:
        kept.request(method, path, body, {"Content-Type": "application/json"})
        return dict(json.loads(kept.getresponse().read()))

    kept = http.client.HTTPConnection("127.0.0.1", api.port, timeout=60)

    asked("GET", "/livez")
    workers = children(api.pid)
    with ExitStack() as flood:
        for _ in range(4 * LIMIT):
            one = flood.enter_context(socket.create_connection(("127.0.0.1", api.port), timeout=60))
            one.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        job_id = asked("POST", "/api/reports/generate-async", body)["job_id"]
        wait_until(lambda: asked("GET", f"/api/jobs/{job_id}")["status"] == "completed", 60, "the report is made")
    assert asked("GET", f"/api/jobs/{job_id}")["status"] == "completed"
    kept.close()
    assert children(api.pid) == workers, "the process was started again"


def children(pid: int | None) -> list[str]:
    return subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True).stdout.split()


def told(*limits: int) -> str:
    """What ops/gunicorn.conf.py makes of a soft and a hard limit."""
    text = "import runpy; c = runpy.run_path('ops/gunicorn.conf.py'); print(c['worker_connections'])"
    shell = f'ulimit -Sn {limits[0]} && ulimit -Hn {limits[1]} && exec "$@"'
    done = subprocess.run(
        ["bash", "-c", shell, "sh", sys.executable, "-c", text], capture_output=True, text=True, check=False
    )
    return (done.stdout or done.stderr).strip().splitlines()[-1]


def test_the_soft_limit_is_raised_and_connections_follow_it() -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 4096, "this machine cannot show it"
    own = 256 - for_callers(Settings(), 256)
    assert told(64, 4096) == "1000"
    assert told(1024, 1024) == str(1024 - own)
    assert told(256, 512) == str(512 - own)


@pytest.mark.parametrize("limit", [32, 100, 176])
def test_a_limit_that_leaves_nothing_for_callers_is_refused_at_start(limit: int) -> None:
    said = told(limit, limit)
    assert f"the limit of open files: read {limit}; allowed: at least 177 with these settings" in said


def test_every_thread_keeps_what_it_needs() -> None:
    for settings in (Settings(), Settings(broker_url="amqp://h"), Settings(api_threads=256, webhook_threads=256)):
        alone = for_callers(settings, ENOUGH)
        assert settings.api_threads < alone <= 1000
        with pytest.raises(SettingsError):
            for_callers(settings, settings.api_threads * 4)
