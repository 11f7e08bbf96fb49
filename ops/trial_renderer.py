"""A renderer for trials and benches that draws next to nothing.

What it does with a report is chosen by the product's name, a key of `BEHAVIOURS`; any other name is drawn as `short`.
"""

import os
import re
import signal
import time
from collections.abc import Callable, Sequence

from schema.errors import Permanent, Transient
from schema.ports import RenderRequest

Progress = Callable[[int], None]

PAGE = (
    b"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R/Info<</Title(%s)>>>>\n%%%%EOF\n"
)


def noop(request: RenderRequest, progress: Progress) -> bytes:
    """An empty page at once."""
    return PAGE % request.document_id.encode()


def short(request: RenderRequest, progress: Progress) -> bytes:
    """A tenth of a second, in five steps."""
    return _paced(request, progress, 0.1, 5)


def long(request: RenderRequest, progress: Progress) -> bytes:
    """Three seconds, in thirty steps: there is time to kill it, stop it, cancel it."""
    return _paced(request, progress, 3.0, 30)


def flaky(request: RenderRequest, progress: Progress) -> bytes:
    """Fails by the job's id and the moment, two times of five, as something that may work on the next try."""
    if (time.time_ns() // 1000 + int.from_bytes(request.document_id.encode()[-2:], "big")) % 5 < 2:
        raise Transient("The trial's renderer was told to fail.", code="trial_flaky")
    return short(request, progress)


def bad(request: RenderRequest, progress: Progress) -> bytes:
    """Fails the same way for ever."""
    raise Permanent("The trial's renderer takes no such report.", code="invalid_data")


def hog(request: RenderRequest, progress: Progress) -> bytes:
    """Takes memory until there is none: 64 MB a step, at most 64 GB."""
    taken = []
    for step in range(1024):
        taken.append(bytearray(os.urandom(1) * (64 * 2**20)))
        progress(step * 100 // 1024)
    return short(request, progress)


def spin(request: RenderRequest, progress: Progress) -> bytes:
    """One endless call in C that never lets go of the interpreter's lock."""
    re.match(r"(a+)+$", "a" * 64 + "b")
    return short(request, progress)


def poison(request: RenderRequest, progress: Progress) -> bytes:
    """Kills the worker that draws it."""
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


BEHAVIOURS: dict[str, Callable[[RenderRequest, Progress], bytes]] = {
    one.__name__: one for one in (noop, short, long, flaky, bad, hog, spin, poison)
}


class TrialRenderer:
    """The `Renderer` port for trials; each render begun is a line in `journal`, when there is one."""

    def __init__(self, journal: str | None = None) -> None:
        self._journal = journal

    def render(self, request: RenderRequest, progress: Progress = lambda percent: None) -> bytes:
        """What the product's name says."""
        if self._journal:
            with open(self._journal, "a") as journal:
                journal.write(f"{request.document_id}\n")
        return BEHAVIOURS.get(request.product_id, short)(request, progress)

    def products(self) -> Sequence[str]:
        return list(BEHAVIOURS)

    def version(self, product_id: str) -> str:
        return "trial"

    def original(self, product_id: str) -> str:
        return product_id


def _paced(request: RenderRequest, progress: Progress, seconds: float, steps: int) -> bytes:
    for step in range(steps):
        time.sleep(seconds / steps)
        progress((step + 1) * 100 // steps)
    return PAGE % request.document_id.encode()
