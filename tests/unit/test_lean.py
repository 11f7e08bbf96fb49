"""What processes do not load, so that each stays small; each line here was megabytes once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from schema.callbacks.allow_list import AllowList

SETTINGS = (
    "from schema.settings import Settings; s = Settings.from_env({'REPORTQ_BROKER_URL': 'amqp://x:y@127.0.0.1/'})"
)
API = "from actors.process.logs import set_up; from actors.process.runtime import build; from service.app import create_app"
WORKER = "import actors.worker"


@pytest.mark.parametrize(
    ("program", "unneeded"),
    [
        (
            f"{API}; {SETTINGS}; build(s).publisher",
            ("rich", "requests", "jinja2", "fpdf", "googleapiclient", "pymongo", "opentelemetry"),
        ),
        (
            f"import os; os.environ['REPORTQ_BROKER_URL'] = 'amqp://x:y@127.0.0.1/'; {WORKER}",
            ("rich", "falcon", "fpdf", "opentelemetry"),
        ),
        (
            f"{API}; {SETTINGS}; r = build(Settings()); r.rendering, r.delivering, r.relay, r.housekeeper",
            ("opentelemetry",),
        ),
    ],
)
def test_a_process_loads_what_it_uses(program: str, unneeded: tuple[str, ...]) -> None:
    loaded = f"{program}; import sys; print([name for name in {unneeded!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_rich_is_there_for_whoever_wants_it() -> None:
    """Hidden from structlog for a moment, not taken away."""
    program = "import actors.process.logs, rich, sys; print(sys.modules['rich'].__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "rich", done.stderr


def test_the_rule_of_ports_is_the_set_it_replaces() -> None:
    allow = AllowList.parse("127.0.0.1:25")
    shut = frozenset({80, 443, *range(1024, 65536)})
    ports = {name: allow.policy_for(name, port).allowed_ports for name, port in (("a.example", 80), ("127.0.0.1", 25))}
    assert frozenset(ports["a.example"]) == shut
    for name, wanted in (("a.example", shut), ("127.0.0.1", shut | {25})):
        assert [port for port in range(-1, 65540) if port in ports[name]] == sorted(wanted)
