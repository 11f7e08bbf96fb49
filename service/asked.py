"""Whether each dependency answers. A thread for each one asks in the background, as long as somebody wants to know."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from schema.rows.verdict import Said

EVERY = 15.0  # Seconds between two questions to one dependency …
SOONER = 5.0  # … and while it is down: that it is back must not be told late.
HANGS = 10.0  # Seconds without an answer after which the dependency counts as "down".
FRESH = 45.0  # Seconds that an answer counts as new.
LISTENED = 60.0  # Seconds from the last look until the dependencies are left alone.


class Asked:
    """The latest answer of each dependency. A ping raises when it is down, and may return a note.

    A dependency that hangs delays no other. An answer older than FRESH is not shown: after a quiet time a process first says
    that it knows nothing.
    """

    def __init__(
        self,
        pings: Mapping[str, Callable[[], object]],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._pings = pings
        self._clock = clock
        self._sleep = sleep
        self._changed = threading.Condition()
        self._answers: dict[str, tuple[Said, float]] = {}  # with the moment it was given
        self._down: dict[str, float] = {}  # since when it is down
        self._out: dict[str, float] = {}  # when the question that is out was put
        self._running: set[str] = set()
        self._wanted_at = 0.0

    def answers(self, wait: float = 0.0) -> dict[str, Said]:
        """What is known now. Dependencies that have not answered yet get `wait` seconds to do so."""
        until = self._clock() + wait
        with self._changed:
            self._wanted_at = self._clock()
            for name in self._pings.keys() - self._running:
                self._running.add(name)
                threading.Thread(target=self._run, args=(name,), name=f"asks-{name}", daemon=True).start()
            while True:
                known = self._known()
                left = until - self._clock()
                if len(known) == len(self._pings) or left <= 0:
                    return known
                self._changed.wait(left)

    def _known(self) -> dict[str, Said]:
        now = self._clock()
        known: dict[str, Said] = {}
        for name in self._pings:
            waited = now - self._out.get(name, now)
            answer, at = self._answers.get(name, (None, 0.0))
            if waited > HANGS:
                lasting = now - self._down.get(name, now - waited)
                known[name] = Said(False, f"No answer for {waited:.0f} s.", lasting, seconds=waited)
            elif answer is not None and now - at < FRESH:
                known[name] = replace(answer, lasting=now - self._down.get(name, now))
        return known

    def _run(self, name: str) -> None:
        while True:
            with self._changed:
                self._out[name] = self._clock()
            answer = self._ask(name)
            with self._changed:
                del self._out[name]
                now = self._clock()
                self._answers[name] = (answer, now)
                self._down = {one: at for one, at in self._down.items() if one != name or not answer.up}
                if not answer.up:
                    self._down.setdefault(name, now - answer.seconds)
                self._changed.notify_all()
            self._sleep(EVERY if answer.up else SOONER)
            with self._changed:
                if self._clock() - self._wanted_at > LISTENED:
                    self._running.discard(name)
                    return

    def _ask(self, name: str) -> Said:
        began = self._clock()
        try:
            note = self._pings[name]()
        except Exception as error:  # whatever a client library raises: the dependency did not answer
            why, code = getattr(error, "detail", type(error).__name__), str(getattr(error, "code", ""))
            return Said(False, why, code=code, seconds=self._clock() - began)
        return Said(True, note if isinstance(note, str) else "", seconds=self._clock() - began)
