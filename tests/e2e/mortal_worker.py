"""Production's worker, whose threads are mortal; an entry of the `dramatiq` command."""

from __future__ import annotations

from actors.worker import broker
from tests.e2e import mortal

__all__ = ["broker"]
mortal.watch()
