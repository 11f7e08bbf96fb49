"""A job or delivery that has not ended: it waits, or it is worked on."""

from typing import Literal

Open = Literal["queued", "processing"]
OPEN: tuple[Open, Open] = ("queued", "processing")
IS_OPEN = "status IN ('queued','processing')"  # SQL
