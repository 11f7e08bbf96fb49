"""Threads of a real process that die when a test says so: as by an exception where nobody catches any.

with MORTAL naming a folder: a file in it named after a thread's class or name ends one such thread

A worker thread that is at a job takes the end for the job's failure and lives on, so it is told until it has ended.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from pathlib import Path


def watch() -> None:
    """Begin to look into the folder."""
    threading.Thread(target=_look, args=(Path(os.environ["MORTAL"]),), daemon=True).start()


def _look(folder: Path) -> None:
    while True:
        for order in folder.iterdir():
            found = [t for t in threading.enumerate() if order.name in (type(t).__name__, t.name)]
            if found:
                order.unlink()
                _end(found[0])
        time.sleep(0.05)


def _end(thread: threading.Thread) -> None:
    while thread.is_alive():
        ident, death = ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, death)
        thread.join(0.2)
