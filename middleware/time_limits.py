"""The soft time limit of a render: an exception in the thread that overruns it.

It cannot interrupt C code; the heartbeats' timer does that. Dramatiq's own middleware does the raising; only an
in-process worker must start its thread, because just the `dramatiq` command emits `process_boot`.
"""

from __future__ import annotations

from typing import Any

from dramatiq.middleware import TimeLimit

from schema.messages import PDF


class RenderTimeLimit(TimeLimit):
    """Limits render_pdf only: a callback's time is bounded by its own timeouts."""

    def __init__(self, seconds: float) -> None:
        super().__init__(time_limit=seconds * 1000, interval=250)

    def before_process_message(self, broker: Any, message: Any) -> None:
        if message.queue_name == PDF:
            super().before_process_message(broker, message)  # type: ignore[no-untyped-call]
