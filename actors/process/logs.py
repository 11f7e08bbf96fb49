"""Logs are events: JSON for machines, columns for people. Lines of libraries take the same shape.

While a thread works on a request, a job or a delivery, each of its lines names its ids, round and attempt. They are
bound by `service/app.py` and `middleware/hooks/lifecycle.py`. No line holds a secret, a resume URL or report contents.
"""

import functools
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import msgspec

# structlog loads rich for coloured tracebacks (60 ms and 5 MB in every process). Our tracebacks are plain text.
_spared = "rich" not in sys.modules and "structlog" not in sys.modules
if _spared:
    sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402

if _spared:
    del sys.modules["rich"]

from actors.process.log_writer import WRITER  # noqa: E402
from schema.callbacks.redaction import hide  # noqa: E402
from schema.callbacks.urls import HIDDEN  # noqa: E402
from schema.settings import Settings  # noqa: E402

_LOUD = {
    "pika": logging.CRITICAL,
    "dramatiq": logging.ERROR,
    "dramatiq.worker.WorkerThread": logging.CRITICAL,
    "googleapiclient": logging.ERROR,
    "urllib3": logging.ERROR,
}
_SECRET = re.compile(r"(?i)password|secret|authorization|api_?key|token|credential|cookie|^(data|meta|report|body)$")


@functools.lru_cache(1024)  # the names are those of our events and of libraries' records
def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None


def hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that hides each value that may be a secret, whoever logs it."""
    for name, value in event.items():
        if _is_secret(name):
            event[name] = HIDDEN
        elif isinstance(value, str):
            event[name] = hide(value)
    return event


def set_up(settings: Settings) -> None:
    """Configure structlog, and silence libraries whose tracebacks repeat our events."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,  # text only: local variables may hold a report
        hide_secrets,
    ]
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(
        serializer=lambda event, **_: msgspec.json.encode(event, enc_hook=str).decode()
    )
    if settings.log_format != "json":
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
        logger_factory=lambda *_: WRITER,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(WRITER)
    formatter, foreign = structlog.stdlib.ProcessorFormatter, [structlog.stdlib.add_logger_name, *shared]
    handler.setFormatter(formatter(foreign_pre_chain=foreign, processors=[formatter.remove_processors_meta, renderer]))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name, least in _LOUD.items():
        logging.getLogger(name).setLevel(least)
