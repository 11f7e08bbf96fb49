"""The planned faults strike, in lanes side by side, while the system gets work done in between; what happened is counted."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from ops.chaos import desk, disks
from ops.chaos.schedule import Fault
from ops.chaos.strikes import Strikes
from ops.chaos.system import System

BREATH = 10.0  # most seconds a lane waits for work to get done between two faults

STRIKES: dict[str, Callable[[Strikes, Fault, str], int]] = {
    **{how: partial(Strikes.away, how=how) for how in ("kill", "term", "stop")},
    "drive": Strikes.drive,
    "receiver": Strikes.receiver,
    "delay": Strikes.delay,
    "cut": Strikes.cut,
    "half-open": Strikes.half_open,
    "hints": Strikes.hints,
    "clock": Strikes.clock,
    "letters": desk.letters,
    "messages": desk.messages,
    "full": disks.full,
}


class Faults:
    """Runs a plan, one thread a lane, and counts what happened."""

    def __init__(self, system: System, told: Callable[[str], None]) -> None:
        self._stack = system.stack
        self.happened: Counter[str] = Counter()
        self.troubles: list[str] = []
        self._told = told
        self._began = 0.0
        self._longest = ""  # the lane that is planned to end last
        self._steps, self._taken = 1, 0  # of that lane: each of its faults begins and ends
        self._ends = 0  # jobs and deliveries that have ended, as last seen
        self.stopping = threading.Event()
        self.strikes = Strikes(system, self.stopping)

    def run(self, plan: list[Fault]) -> list[threading.Thread]:
        """Start the lanes; each thread ends with its last fault."""
        self._began = time.monotonic()
        threading.Thread(target=self._watch, name="progress", daemon=True).start()
        lanes: dict[str, list[Fault]] = {}
        for fault in plan:
            lanes.setdefault(fault.lane, []).append(fault)
        self._longest = max(plan, key=lambda fault: fault.at + fault.seconds).lane
        self._steps = 2 * len(lanes[self._longest])
        threads = [threading.Thread(target=self._lane, args=(lane,), name=name) for name, lane in lanes.items()]
        for thread in threads:
            thread.start()
        return threads

    @property
    def share(self) -> float:
        """How much of the longest lane is done, 0 to 1: what is struck last must meet work, too."""
        return self._taken / self._steps

    def _watch(self) -> None:
        while not self.stopping.wait(0.3):
            with contextlib.suppress(Exception):
                ended = "SELECT COUNT(ended_at) AS n FROM"
                counts = [self._stack.sql(f"{ended} {table}")[0]["n"] for table in ("pdf_job_results", "deliveries")]
                self._ends = sum(map(int, counts))

    def _breathe(self, seen: int) -> None:
        """Let a few ends happen between two faults of a lane. Otherwise, on a slow machine, faults would only strike a
        system that is starting."""
        until = time.monotonic() + BREATH
        while self._ends < seen + 3 and time.monotonic() < until and not self.stopping.is_set():
            time.sleep(0.05)

    def _lane(self, faults: list[Fault]) -> None:
        for fault in faults:
            seen = self._ends
            self.stopping.wait(max(0.0, self._began + fault.at - time.monotonic()))
            self._breathe(seen)
            if self.stopping.is_set():
                return
            self._taken += fault.lane == self._longest
            self._strike(fault)
            self._taken += fault.lane == self._longest

    def _strike(self, fault: Fault) -> None:
        what, _, target = fault.kind.partition(":")
        try:
            count = STRIKES[what](self.strikes, fault, target)
        except Exception as error:
            self.troubles.append(f"{fault.kind}: {type(error).__name__}: {error}")
            self._told(f"{fault.kind} could not be done: {error}")
            return
        self.happened[fault.kind] += count
        self._told(f"{fault.kind} for {fault.seconds:g} s" + ("" if count else " met nobody"))
