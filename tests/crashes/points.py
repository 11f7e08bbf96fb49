"""Where a process kills itself: the file REPORTQ_RUN_DIR/crash-at names one point, and goes before its reader dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

_order = Path(os.environ["REPORTQ_RUN_DIR"]) / "crash-at"


def die_at(point: str) -> None:
    """`kill -9` of this process when it is its turn."""
    try:
        if _order.read_text() != point:
            return
        _order.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def before(point: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with the point before it."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        die_at(point)
        return function(*args, **kwargs)

    return wrapped


def after(point: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with the point behind it."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        die_at(point)
        return result

    return wrapped
