"""Lets Python sleep under libfaketime: on PYTHONPATH of the workers whose clocks are turned.

`time.sleep` waits for a moment of the monotonic clock. Although told to leave this clock alone, libfaketime 0.9.10
changes that moment too, and the call fails. A lock's timeout stays as it is.
"""

import threading
import time


def _sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    threading.Event().wait(seconds)


vars(time)["sleep"] = _sleep
