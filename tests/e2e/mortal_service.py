"""The embedded default, whose threads are mortal; an application for gunicorn."""

from __future__ import annotations

from service.wsgi import app
from tests.e2e import mortal

__all__ = ["app"]
mortal.watch()
