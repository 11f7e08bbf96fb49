"""The relay as a process of its own: publishing and housekeeping, in three threads.

    python -m actors.relay        in production, under supervisor; embedded mode runs the same loops inside the API

The process ends when a thread has died, or when publishing hangs for `relay_stuck` seconds (at least a lease and ten).
The supervisor starts it again. Several relays at once are harmless.
"""

import os
import signal
import threading
import time

import structlog

from actors.process.logs import set_up
from actors.process.runtime import build
from middleware.meters import exposition
from middleware.meters.counters import folder_of
from schema.metrics import table as metrics
from schema.rows import leadership
from schema.settings import Settings

log = structlog.get_logger()


def main() -> None:
    """Run publishing and housekeeping until a signal; end the process when publishing hangs."""
    settings = Settings.from_env(os.environ)
    set_up(settings)
    runtime = build(settings)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    runtime.verify_patiently()
    runtime.start_relay()
    if settings.metrics_port:
        folder = folder_of(settings.run_dir, metrics.WORKERS)
        exposition.serve(folder, settings.metrics_host, settings.metrics_port)
    log.info("relay.started", pid=os.getpid())
    # A new leader waits a lease before it rescues. A process that ends sooner, again and again, would rescue nothing.
    most = max(settings.relay_stuck, settings.lease + leadership.LEAST_TURN)
    while not done.wait(1.0):
        since = runtime.relay.busy_since
        if since is not None and time.monotonic() - since > most:
            log.critical("relay.stuck", seconds=most)
            os._exit(70)
        if dead := [thread.name for thread in runtime.threads if not thread.is_alive()]:
            log.critical("process.thread_died", threads=dead)
            os._exit(70)
    runtime.stop()


if __name__ == "__main__":
    main()
