"""Callers who submit until enough jobs are accepted, cancel some, replay some, and remember what they were promised."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import requests

from ops.chaos.schedule import BATCH_EVERY, Order, order
from ops.chaos.system import SOURCES, System

CALLERS = 4
MEMBERS = 1_000_000  # the numbers of a batch's jobs begin with this many times the batch's own and one
PAUSE = 0.1  # seconds between two submissions of a caller
RUNNING = '{"code":409,"message":"The execution \\"7\\" is running already."}'

# What a receiver answers to the first POSTs of a job, and for ever after.
ANSWERS: dict[str, Sequence[Mapping[str, Any]]] = {
    "500": [{"status": 500, "body": "{}"}, {"status": 500, "body": "{}"}, {}],
    "409-then-200": [{"status": 409, "body": RUNNING}, {"status": 409, "body": RUNNING}, {}],
    "302": [{"status": 302, "headers": {"Location": "/elsewhere"}}],
    "drip": [{"drip": 0.2, "body": "x" * 40}, {}],  # slower than the sender waits
    "huge": [{"size": 5_000_000}, {}],
    "reset": [{"reset": True}, {}],
    "hang": [{"delay": 4.0}, {}],
    "interim": [{"interim": [103, 100]}],
}
_TAKEN = ("huge", "drip", "interim")


class Load:
    """The callers of one run. `accepted` holds what was answered 202, `unconfirmed` counts what was not answered."""

    def __init__(self, system: System, seed: int, jobs: int, share: Callable[[], float], batch: int = 0) -> None:
        """`share` says how much of the faults is done, 0 to 1: as much of the load may be submitted, and a little more.

        `batch` is the size of the first batch; 0: as the seed wants it.
        """
        self._system = system
        self._seed = seed
        self._jobs = jobs
        self._batch = batch
        self._share = share
        self._ahead = max(20, jobs // 20)
        self._mutex = threading.Lock()
        self._next = 0
        self._stop = threading.Event()
        self._scripted: list[Order] = []
        self.accepted: dict[str, Order] = {}
        self.batches: dict[str, Order] = {}
        self.acts: Counter[str] = Counter()  # on whole batches, with their answers
        self.unconfirmed = 0
        self.refused: dict[str, int] = {}
        self.replays = 0
        self.cancels: dict[str, str] = {}
        self._threads: list[threading.Thread] = []
        self._later: list[tuple[float, Callable[[requests.Session], None]]] = []

    def start(self) -> None:
        """Begin to submit."""
        for work in (*[self._call] * CALLERS, self._act_later):
            thread = threading.Thread(target=work, name=work.__name__, daemon=True)
            thread.start()
            self._threads.append(thread)

    def wait(self, timeout: float) -> None:
        """Until enough jobs are accepted, at most so many seconds; then nobody submits any more."""
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _take(self) -> int | None:
        with self._mutex:
            if len(self.accepted) >= self._jobs or self._stop.is_set():
                return None
            self._next += 1
            return self._next - 1

    def _call(self) -> None:
        session = _session()
        while (number := self._take()) is not None:
            while len(self.accepted) > self._jobs * self._share() + self._ahead and not self._stop.wait(0.05):
                pass
            time.sleep(PAUSE)
            wanted = order(self._seed, number)
            try:
                self._submit(session, wanted)
            except requests.RequestException:
                session.close()
                session = _session()

    def _submit(self, session: requests.Session, wanted: Order) -> None:
        members = self._members(wanted)
        for one in (wanted, *members):
            if one.receiver:
                with self._mutex:
                    self._scripted.append(one)
                self._script(one)
        body, path = self._body(wanted), "generate-async"
        if members:
            # Every second batch alone is told; of the others the jobs are, too.
            jobs = [self._body(one, told=wanted.number % 2 == 0) for one in members]
            body, path = {"jobs": jobs, "callback": body["callback"], "meta": body["meta"]}, "batch"
        headers = {"Idempotency-Key": f"run-{self._seed}-{wanted.number}"} if wanted.keyed else {}
        url = f"{self._system.stack.url}/api/reports/{path}"
        for _ in range(8 if wanted.keyed else 1):
            try:
                answer = session.post(url, json=body, headers=headers, timeout=15)
            except requests.RequestException:
                with self._mutex:
                    self.unconfirmed += 1
                time.sleep(0.5)
                continue
            if answer.status_code == 202:
                told = answer.json()
                pairs = zip(told.get("jobs", [told]), members or [wanted], strict=True)
                made = {str(job["job_id"]): one for job, one in pairs}
                with self._mutex:
                    self.accepted |= made
                    if members:
                        self.batches[told["batch_id"]] = wanted
                for job_id, one in made.items():
                    self._plan_second_thoughts(job_id, one)
                if members:
                    self._plan_batch(told["batch_id"], wanted)
                break
            with self._mutex:
                self.refused[str(answer.status_code)] = self.refused.get(str(answer.status_code), 0) + 1
                self.unconfirmed += answer.status_code >= 500
            time.sleep(0.5)

    def _members(self, wanted: Order) -> list[Order]:
        """The jobs of a batch, which go by numbers of their own; none when the order is a single job."""
        if not wanted.batch:
            return []
        size = self._batch if self._batch and wanted.number < BATCH_EVERY else wanted.batch
        return [replace(order(self._seed, MEMBERS * (wanted.number + 1) + n), batch=0) for n in range(size)]

    def _body(self, wanted: Order, told: bool = True) -> dict[str, Any]:
        url = self._system.stack.receiver.url(_path(wanted))
        return {
            "code": f"K{wanted.number % SOURCES}" if wanted.product != "missing" else "nobody",
            "productId": wanted.product,
            "priority": wanted.priority,
            **({"callback": url, "failureCallback": url} if told else {}),
            "meta": {"number": wanted.number},
        }

    def _script(self, wanted: Order) -> None:
        try:
            self._system.stack.receiver.script(_path(wanted), *ANSWERS[wanted.receiver])
        except requests.RequestException:
            pass  # the receivers' host is away just now; when it is back, it is told again

    def script_again(self) -> None:
        """Tell the receivers anew how to answer: those who were told already begin again, which is harmless."""
        with self._mutex:
            scripted = list(self._scripted)
        for wanted in scripted:
            self._script(wanted)

    def _plan_second_thoughts(self, job_id: str, wanted: Order) -> None:
        if wanted.cancel_after is not None:
            self._plan(wanted.cancel_after, partial(self._cancel, job_id))
        elif wanted.product in ("bad", "missing") and wanted.number % 2:
            self._plan(3.0, partial(self._replay, job_id))

    def _plan_batch(self, batch_id: str, wanted: Order) -> None:
        """One batch of three is replayed as far as it has failed, one of four cancelled as far as that goes."""
        if wanted.batch % 3 == 0:
            self._plan(6.0, partial(self._act_on, batch_id, "replay"))
        if wanted.batch % 4 == 1:
            self._plan(2.0, partial(self._act_on, batch_id, "cancel"))

    def _plan(self, after: float, act: Callable[[requests.Session], None]) -> None:
        with self._mutex:
            self._later.append((time.monotonic() + after, act))

    def _act_on(self, batch_id: str, act: str, session: requests.Session) -> None:
        answer = session.post(f"{self._system.stack.url}/api/batches/{batch_id}/{act}", timeout=60)
        self.acts[f"{act} {answer.status_code}"] += 1

    def _act_later(self) -> None:
        session = _session()
        while not self._stop.is_set():
            with self._mutex:
                now = time.monotonic()
                due = [act for at, act in self._later if at <= now]
                self._later = [(at, act) for at, act in self._later if at > now]
                done = len(self.accepted) >= self._jobs and not self._later
            for act in due:
                try:
                    act(session)
                except requests.RequestException:
                    continue  # a caller who gets no answer stops
            if done:
                return
            self._stop.wait(0.1)

    def _cancel(self, job_id: str, session: requests.Session) -> None:
        answer = session.post(f"{self._system.stack.url}/api/jobs/{job_id}/cancel", timeout=10)
        self.cancels[job_id] = str(answer.status_code)

    def _replay(self, job_id: str, session: requests.Session) -> None:
        answer = session.post(f"{self._system.stack.url}/api/jobs/{job_id}/replay", json={}, timeout=10)
        self.replays += answer.status_code == 202


def _path(wanted: Order) -> str:
    return f"/hook/{wanted.number}/pdf-complete"


def troubled(system: System, load: Load) -> dict[str, int]:
    """How many POSTs really met a receiver's trouble, by kind; asked once the system is at rest."""
    sent = [*load.accepted.values(), *load.batches.values()]
    kinds = {one.number: one.receiver for one in sent if one.receiver}
    attempts = "delivery_attempts a JOIN deliveries d ON d.delivery_id = a.delivery_id"
    counts: Counter[str] = Counter()
    for row in system.stack.sql(f"SELECT d.url AS url, a.outcome AS outcome FROM {attempts}"):
        found = re.search(r"/hook/(\d+)/", row["url"] or "")
        kind = kinds.get(int(found[1])) if found else None
        # A 2xx counts once its head is there: of what is wrong with its body the attempt's row tells nothing.
        if kind is not None and (row["outcome"] != "delivered" or kind in _TAKEN):
            counts[f"receiver:{kind}"] += 1
    return dict(counts)


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session
