"""The API under test: production's, with one broken guard when a sabotage is asked for."""

from ops.chaos.sabotage import apply

apply()

from service.wsgi import app  # noqa: E402 - the guard breaks before anything is built

__all__ = ["app"]
