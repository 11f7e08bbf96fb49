"""How gunicorn serves the API; what differs between hosts comes from the REPORTQ_ settings."""

import os
import socket
import struct
from typing import Any

from schema.host.descriptors import for_callers, raised
from schema.settings import Settings

_settings = Settings.from_env(os.environ)

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
# Requests wait for a database or, long-polling, for a job: threads are enough.
worker_class = "service.web_worker.WebWorker"
workers = 1 if _settings.embedded else _settings.api_workers  # the in-process broker lives in exactly one process
threads = _settings.api_threads

# A waiting caller (`Prefer: wait`) is answered after at most 60 s; a stop lets it have that answer.
graceful_timeout = 65
# A worker whose main loop has not moved for so long is killed. Threads at work do not count: only a stuck process.
timeout = 60
# Seconds an idle connection is kept for the next request: dashboards poll every few seconds, n8n closes at once.
keepalive = 15
# Open connections of one worker, idle ones included; with more, accepting waits and the kernel's queue fills. A worker
# that runs out of descriptors would end: its own files and the connections of its threads are counted off.
worker_connections = for_callers(_settings, raised())
# Connections the kernel holds before we accept them: a burst of n8n's batches, refused beyond it.
backlog = 1024

# Our longest path with its query (a filtered list with a cursor) stays under 2,000 bytes; callbacks are in bodies.
limit_request_line = 4094
# Proxies add a dozen headers, tracing another; keys and idempotency keys are short.
limit_request_fields = 64
limit_request_field_size = 8190
# No header of a caller moves a request to another path (SCRIPT_NAME): the path in the public URL is a setting.
forwarder_headers = ""

# Workers prove that they live by touching a file: in memory, so that a slow disk gets nobody killed.
_memory = "/dev/shm"  # noqa: S108
worker_tmp_dir = _memory if os.path.isdir(_memory) else None
control_socket_disable = True  # nobody administers gunicorn while it runs; supervisor restarts it
loglevel = _settings.log_level

# Seconds a client may be silent in the middle of a request, and seconds it may refuse to take more of an answer. Each
# holds a thread so long. One that drips byte by byte is no match for threads: against those, a proxy stands in front
# (ops/SECURITY.md).
_SILENT, _STALLED = 10, 30


def when_ready(server: Any) -> None:
    """Bound every read and write of a connection; accepted sockets inherit it from the listening one."""
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _SILENT, 0))
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _STALLED, 0))
