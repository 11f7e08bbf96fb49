"""Seeds that `ops/test soak` runs. A seed that ever failed stays here, with what it found."""

from __future__ import annotations

FIRST = 1  # which `ops/test chaos` runs, with fewer jobs
# seed → why it is here
SEEDS: dict[int, str] = {
    1: "a purge of both queues left one accepted job queued for ever: idle threads were taken for hints in flight",
    3: "with 2,000 jobs: a worker whose parent was killed while it started hung in its log, and its callbacks with it",
    4: "with 2,000 jobs: a callback was never rescued, most probably because of one row that somebody else still held",
    5: "with 2,000 jobs: the same as 3",
    7: "with 2,000 jobs: the same as 4, two callbacks",
}
# A sabotage and the seed that shows it; the others are shown by hand, see RESULTS.md.
SABOTAGES: dict[str, int] = {"no-reserved-id": 11, "post-again": 11}
