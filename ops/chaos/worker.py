"""The workers under test: the trial renderer, and one broken guard when a sabotage is asked for."""

from ops.chaos.sabotage import apply

apply()

from ops.stack_worker import broker, runtime  # noqa: E402 - the guard breaks before anything is built

__all__ = ["broker", "runtime"]
