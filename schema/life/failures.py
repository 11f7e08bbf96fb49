"""Why an attempt failed, as people read it, and when a failing job is tried again (DESIGN §2.6)."""

import random
from dataclasses import dataclass
from typing import Literal, Self

from schema.errors import Permanent, ReportqError

_SENTENCE = 2000  # characters of a failure's sentence: what people read, and columns take


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed, as people read it."""

    code: str
    message: str
    outcome: Literal["failed", "timeout", "crashed"] = "failed"
    permanent: bool = False
    traceback: str | None = None

    @classmethod
    def of(cls, error: BaseException, traceback: str | None = None) -> Self:
        """An exception's code and sentence; anything unexpected is an internal error whose text stays inside."""
        if isinstance(error, ReportqError):
            sentence = error.detail if len(error.detail) <= _SENTENCE else error.detail[: _SENTENCE - 1] + "…"
            return cls(error.code, sentence, permanent=isinstance(error, Permanent), traceback=traceback)
        if isinstance(error, MemoryError):
            return cls("out_of_memory", "The report needs more memory than a worker may use.", traceback=traceback)
        sentence = f"The renderer stopped with an unexpected error ({type(error).__name__})."
        return cls("internal_error", sentence, traceback=traceback)


TIMEOUT = Failure("timeout", "The report took longer than the time limit.", outcome="timeout")
CRASH = Failure("worker_died", "The worker died three times while it made this report.", outcome="crashed")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failing job is tried again."""

    attempts: int  # retries after the first attempt
    backoff: float  # seconds before the first retry, doubled each time
    longest: float  # seconds

    def delay(self, tries: int) -> float:
        """Seconds before the next try after `tries` failed ones: exponential, with full jitter."""
        return random.uniform(0, min(self.longest, self.backoff * 2 ** max(0, tries - 1)))
