"""The relay, whose threads are mortal: python -m tests.e2e.mortal_relay."""

from __future__ import annotations

from actors.relay import main
from tests.e2e import mortal

mortal.watch()
main()
