"""A render worker that kills itself at one point of its first job: `kill -9` in every stage, exactly there.

The point is named by the file REPORTQ_RUN_DIR/crash-at, which the worker removes before it dies.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors import worker
from schema import jobs, rounds

broker = worker.broker
_order = Path(worker.settings.run_dir) / "crash-at"


def _die_at(point: str) -> None:
    try:
        if _order.read_text() != point:
            return
        _order.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _before(point: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _die_at(point)
        return function(*args, **kwargs)

    return wrapped


def _after(point: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        _die_at(point)
        return result

    return wrapped


_rendering = worker.runtime.rendering
_rendering._renderer.render = _before("before render", _rendering._renderer.render)  # type: ignore[method-assign]
_artifacts: Any = _rendering._artifacts
_artifacts.put = _after("after upload", _artifacts.put)
jobs.pass_upload_point = _after("while uploading", jobs.pass_upload_point)
rounds.finish = _after("after finish", rounds.finish)
