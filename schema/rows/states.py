"""A job or delivery that has not ended: it waits, or it is worked on."""

from __future__ import annotations

OPEN = ("queued", "processing")
IS_OPEN = "status IN ('queued','processing')"  # SQL
