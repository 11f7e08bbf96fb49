"""When old rows go: a few at a time, with pauses. The rule and every DELETE stand in `schema/life/retention.py`."""

import time

from schema.life.retention import EndedRows


class Retention(EndedRows):
    """Removes rows whose time is over. Without it, the tables grow for ever."""

    def step(self, seconds: float = 0.5) -> int:
        """Clean for about `seconds`; returns how many jobs went. Ends early when nothing is left."""
        until = time.monotonic() + seconds
        self.remove_letters()
        self.remove_others()
        removed = 0
        while True:
            began = time.monotonic()
            count, more = self.remove_jobs()
            removed += count
            took = time.monotonic() - began
            if not more or time.monotonic() + 2 * took > until:
                self.remove_batches()
                return removed  # nothing is left, or another batch would take longer than the time that is
            time.sleep(took)  # submissions find the database half free
