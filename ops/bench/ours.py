"""Our side of every bench: the whole system as it is shipped, asked in SQL from outside."""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import requests

from ops.bench import rows
from ops.servers.process import filled, wait_until
from ops.servers.redis import Redis
from ops.stack import Stack
from schema.rows import pauses
from schema.sql.database import Database

CALLBACK = "http://127.0.0.1:5678/webhook/pdf-complete"
NOOP = {"actors.worker": "ops.bench.noop_worker"}
_LOOK = 0.2  # seconds between the processes' looks at pauses, so that a bench need not wait for them


class Ours:
    """A running stack with what benches ask of it. Its queues can be held and refilled between turns."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder  # what stands beside it: peers, scripts
        self.db = Database(stack.mariadb.url, io_timeout=600)  # filling takes its time
        check_as_shipped(stack)

    def close(self) -> None:
        self.db.close()

    def hold(self, *queues: str) -> None:
        """Nothing of these queues is published or started from now on."""
        for queue in queues:
            pauses.pause(self.db, f"queue:{queue}", reason="bench", by="bench")
        time.sleep(2 * _LOOK)

    def release(self, queue: str) -> None:
        pauses.resume(self.db, f"queue:{queue}")

    def empty(self) -> None:
        """Forget every job and what the broker still holds of them."""
        wait_until(lambda: self.count("status='processing'") == 0, 60, "running jobs end")
        for table in ("pdf_job_results", "attempts", "deliveries", "delivery_attempts", "dead_letters"):
            self.db.execute(f"TRUNCATE TABLE {table}")
        for queue in ("pdf", "webhooks"):
            self.stack.rabbitmq.purge(queue)

    def count(self, where: str) -> int:
        return int(self.db.scalar(f"SELECT COUNT(*) FROM pdf_job_results WHERE {where}"))

    def lay_out(self, jobs: int, *, name: str = "01K") -> None:
        """Write so many waiting jobs of all three priorities, by the server itself. Their ids begin with `name`, whose
        characters are those of ids."""
        places = {"name": name, "digits": 26 - len(name), "callback": CALLBACK}
        rows.lay_out(self.db, "waiting", range(1, jobs + 1), part=jobs, **places)


@contextlib.contextmanager
def opened(
    *,
    render_workers: int = 2,
    noop: bool = False,
    lean: bool = False,
    settings: Mapping[str, str] | None = None,
    drive: bool = False,
) -> Iterator[Ours]:
    """The running system of a bench: nothing but what the bench says differs from production's supervisor and settings.

    `lean` hides numpy: benches install it, production does not, and fpdf2 would load it.
    """
    chosen = filled(Path(__file__).with_suffix(".env"), {"look": _LOOK}) | dict(settings or {})
    with tempfile.TemporaryDirectory(prefix="reportq-bench-") as name:
        folder = Path(name)
        if lean:
            (folder / "lean").mkdir()
            (folder / "lean" / "sitecustomize.py").write_text('import sys\n\nsys.modules["numpy"] = None\n')
            chosen["PYTHONPATH"] = str(folder / "lean")
        modules = NOOP if noop else None
        stack = Stack(folder / "ours", render_workers=render_workers, settings=chosen, drive=drive, modules=modules)
        with stack, contextlib.closing(Ours(stack, folder)) as ours:
            yield ours


def peers_environ(stack: Stack, redis: Redis) -> dict[str, str]:
    """Where the peers find Redis, and the servers that they share with us."""
    return {
        "BENCH_REDIS_URL": redis.url,
        "BENCH_AMQP_URL": stack.rabbitmq.admin_url,
        "BENCH_RESULTS_URL": stack.mariadb.url.replace("mysql://", "db+mysql+pymysql://"),
    }


def check_as_shipped(stack: Stack) -> None:
    """RuntimeError unless publishers wait for confirms and metrics are on; MariaDB itself proves that it is durable."""

    def confirms() -> bool:
        with contextlib.suppress(requests.ConnectionError):  # the management plugin starts after the broker
            return any(channel.get("confirm") for channel in stack.rabbitmq.api("GET", "channels"))
        return False

    wait_until(confirms, 30, "a publisher's channel with confirms")
    metrics = stack.call("GET", "/metrics")
    if metrics.status_code != 200 or "reportq_jobs" not in metrics.text:
        raise RuntimeError("metrics are off")
