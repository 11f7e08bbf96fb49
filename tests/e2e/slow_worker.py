"""A worker whose reports only take time: `data.seconds` of it, in small steps."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from actors.process.logs import set_up
from actors.process.runtime import build
from schema.ports import RenderRequest
from schema.settings import Settings


class Slow:
    """Takes as long as the report says."""

    def render(self, request: RenderRequest, progress: Callable[[int], None] = lambda percent: None) -> bytes:
        left = float(request.report.get("seconds", 0))
        while left > 0:
            time.sleep(min(0.05, left))
            left -= 0.05
            progress(50)
        return b"%PDF-1.4 slow"

    def products(self) -> Sequence[str]:
        return ["slow"]

    def version(self, product_id: str) -> str:
        return "slow"

    def original(self, product_id: str) -> str:
        return product_id


settings = Settings.from_env(os.environ)
set_up(settings)
runtime = build(settings, renderer=Slow())
runtime.guard_process = True
broker = runtime.broker
