"""The worker process with nothing to draw, look up or store: for benches of the protocol alone.

Everything else is production's: claim, lease, heartbeat, guarded writes, attempt, delivery row, metrics, logs.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.process.logs import set_up
from actors.process.runtime import build
from ops.trial_renderer import Progress, TrialRenderer
from schema.errors import Permanent
from schema.ports import RenderRequest
from schema.settings import Settings


class NoRenderer(TrialRenderer):
    """Draws nothing; while this file exists, it fails for good."""

    def __init__(self, broken: Path) -> None:
        super().__init__()
        self._broken = broken

    def render(self, request: RenderRequest, progress: Progress = lambda percent: None) -> bytes:
        if self._broken.exists():
            raise Permanent("The bench's renderer is broken.", code="invalid_data")
        return b"%PDF-"


class Nowhere:
    """Documents and artifacts: an empty report for everybody; nothing is kept or stored."""

    dependency = "folder"

    def nothing(self, *_: Any, **__: Any) -> None:
        """Keeps, finds and does nothing, as quickly as that goes."""

    record_end = find_end = save_report = put = delete = ping = close = nothing

    def find_report(self, code: str, product_id: str) -> dict[str, Any] | None:
        return {}

    def reserve(self) -> str:
        return "none"

    def read(self, artifact_id: str) -> Iterator[bytes]:
        return iter(())


settings = Settings.from_env(os.environ)
set_up(settings)
renderer = NoRenderer(Path(settings.run_dir) / "broken")
runtime = build(settings, renderer=renderer, documents=Nowhere(), artifacts=Nowhere())
runtime.guard_process = True
broker = runtime.broker
