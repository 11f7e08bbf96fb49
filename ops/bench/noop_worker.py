"""The worker process with nothing to draw, look up or store: for benches of the protocol alone.

Everything else is production's: claim, lease, heartbeat, guarded writes, attempt, delivery row, metrics, logs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from actors.logs import set_up
from actors.runtime import build
from schema.ports import End, RenderRequest
from schema.settings import Settings


class NoRenderer:
    """Draws nothing."""

    def render(self, request: RenderRequest, progress: Callable[[int], None] = lambda percent: None) -> bytes:
        return b"%PDF-"

    def products(self) -> Sequence[str]:
        return []


class NoDocuments:
    """Has an empty report for everybody and keeps no results."""

    def find_report(self, code: str, product_id: str) -> dict[str, Any] | None:
        return {}

    def record_end(self, end: End) -> None:
        pass

    def find_end(self, job_id: str) -> End | None:
        return None

    def save_report(self, code: str, product_id: str, report: Mapping[str, Any]) -> None:
        pass

    def ping(self) -> None:
        pass

    def close(self) -> None:
        pass


class NoArtifacts:
    """Stores nothing."""

    dependency = "folder"

    def reserve(self) -> str:
        return "none"

    def put(
        self, artifact_id: str, filename: str, pdf: bytes, *, replace: bool, labels: Mapping[str, str]
    ) -> str | None:
        return None

    def read(self, artifact_id: str) -> Iterator[bytes]:
        return iter(())

    def delete(self, artifact_id: str) -> None:
        pass

    def ping(self) -> None:
        pass

    def close(self) -> None:
        pass


settings = Settings.from_env(os.environ)
set_up(settings)
runtime = build(settings, renderer=NoRenderer(), documents=NoDocuments(), artifacts=NoArtifacts())
runtime.guard_process = True
broker = runtime.broker
