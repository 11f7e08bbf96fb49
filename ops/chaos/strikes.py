"""How each kind of fault is done, and whether it really happened.

Every function below strikes, lasts, ends what it began, and returns how often it struck: 0 when there was nobody to strike.
"""

import contextlib
import os
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

import pika
import pika.exceptions

from middleware.rabbitmq.broker import encode
from ops.chaos.schedule import Fault
from ops.chaos.system import System
from ops.servers import leash
from ops.servers.process import wait_until
from ops.servers.receiver import ALL, START_PAGE
from ops.servers.tcp_proxy import TcpProxy
from schema.ports import Message
from schema.rows.messages import ACTORS, RENDER, WEBHOOKS
from schema.sql.database import DatabaseDown

T = TypeVar("T")
AWAY = (pika.exceptions.AMQPError, OSError, DatabaseDown)  # of the broker, its page, and the database
DAY = 86_400.0


class Strikes:
    """The kinds of faults, done to one system; `stop` ends them all early."""

    def __init__(self, system: System, stop: threading.Event) -> None:
        self.system = system
        self.stack = system.stack
        self.receiver_back: Callable[[], None] = lambda: None  # its scripts died with it
        self.alone: dict[str, threading.Lock] = defaultdict(threading.Lock)  # by the server that is struck
        self.stop = stop

    # -- programs and servers -----------------------------------------------------------------------------------

    def away(self, fault: Fault, target: str, how: str) -> int:
        """A server is away for a while, while no other fault strikes it; a program is killed, terminated or frozen."""
        if not (server := self.stack.servers().get(target)):
            return {"kill": self._kill, "term": self._term, "stop": self._freeze}[how](fault, self._busy(target, fault))
        strike = {"kill": server.kill, "term": server.stop, "stop": server.suspend}[how]
        with self.alone[target]:
            strike()
            self.stop.wait(fault.seconds)
            server.resume() if how == "stop" else server.start()
        return 1

    def _kill(self, fault: Fault, program: str) -> int:
        """kill -9: all its processes, or only the first or the last of them."""
        pid = self.stack.pid(program)
        if not pid:
            return 0
        below = leash.descendants(pid)
        victims = [[pid, *below], [pid], below[-1:] or [pid]][fault.luck % 3]
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        return 1

    def _term(self, fault: Fault, program: str) -> int:
        """An orderly end, as a deployment does it."""
        return int(self.stack.kill(program, signal.SIGTERM, whole=False))

    def _freeze(self, fault: Fault, program: str) -> int:
        """SIGSTOP, later SIGCONT: a process that wakes up does not know that time has passed."""
        pid = self.stack.pid(program)
        if not self.stack.kill(program, signal.SIGSTOP):
            return 0
        self.stop.wait(fault.seconds)
        if self.stack.pid(program) == pid:
            self.stack.kill(program, signal.SIGCONT)
        return 1

    def _busy(self, part: str, fault: Fault) -> str:
        """A program of the part that runs, waited for up to 20 s: the fault before may have ended it. Of the render workers
        one that draws just now, waited for up to 5 s."""
        programs = self.system.programs(part)
        if part == "render":
            programs = self.until(self._drawing, 5, 0.05) or programs
        chosen = programs[fault.luck % len(programs)]
        self.until(lambda: self.stack.pid(chosen))
        return chosen

    def _drawing(self) -> list[str]:
        """Render programs that work on a job, the longest jobs first."""
        try:
            rows = self.stack.sql(
                "SELECT w.pid AS pid FROM pdf_job_results j JOIN workers w ON w.worker_id = CONCAT(j.worker_id, '/pdf') "
                "WHERE j.status='processing' AND j.product_id='long'"
            )
        except Exception:
            return []
        busy = {int(row["pid"]) for row in rows}
        names = self.system.programs("render")
        return [name for name in names if busy & set(leash.descendants(self.stack.pid(name) or 2**30))]

    # -- the outside world --------------------------------------------------------------------------------------

    def drive(self, fault: Fault, kind: str) -> int:
        """Drive answers so for a while, and at least once."""
        drive = self.stack.drive
        operation = "insert"  # a report is stored by one request
        met_before = self._met()
        drive.fail(operation, kind)
        self.stop.wait(fault.seconds)
        wait_until(lambda: self.stop.is_set() or self._met() > met_before, 60, f"an {operation} that meets {kind}")
        met = self._met() - met_before
        drive.clear(operation)
        return met

    def _met(self) -> int:
        return sum(int(rule["met"]) for rule in self.stack.drive.state()["faults"])

    def receiver(self, fault: Fault, kind: str) -> int:
        """The receivers' host is away as a whole, or n8n starts on it and says so to everybody."""
        receiver = self.stack.receiver
        if kind == "away":
            self.away(fault, "receiver", "kill")
            self.receiver_back()
            return 1
        with self.alone["receiver"]:
            before = len(receiver.posts())
            receiver.script(ALL, START_PAGE)
            self._last(fault, lambda: any(not post.told for post in receiver.posts()[before:]))
            met = sum(not post.told for post in receiver.posts()[before:])
            receiver.script(ALL)
        return met

    # -- the network --------------------------------------------------------------------------------------------

    def delay(self, fault: Fault, route: str) -> int:
        """Everything takes a while longer."""
        proxy = self.system.proxies[route]
        before = sum(proxy.bytes.values())
        proxy.delay = 0.02 + fault.luck % 10 * 0.02
        self._last(fault, lambda: sum(proxy.bytes.values()) > before)
        proxy.delay = 0.0
        return int(sum(proxy.bytes.values()) > before)

    def cut(self, fault: Fault, route: str) -> int:
        """Every open connection is reset, and every new one for a moment."""
        return self._broken(fault, self.system.proxies[route], TcpProxy.refuse)

    def half_open(self, fault: Fault, route: str) -> int:
        """Nothing passes and nobody is told; then all of it passes, or, one time of two, is reset."""
        return self._broken(fault, self.system.proxies[route], TcpProxy.blackhole, cut=fault.luck % 2 == 1)

    def _broken(self, fault: Fault, proxy: TcpProxy, strike: Callable[[TcpProxy], None], *, cut: bool = False) -> int:
        """Strike a route, and heal it; whether a connection has met that."""
        met, before = proxy.connections, proxy.accepted
        strike(proxy)
        self._last(fault, lambda: met > 0 or proxy.accepted > before)
        if cut:
            proxy.cut()
        proxy.heal()
        return int(met > 0 or proxy.accepted > before)

    def _last(self, fault: Fault, met: Callable[[], bool]) -> None:
        """Let a trouble last, and, when it has met nobody by then, up to 20 s longer."""
        self.stop.wait(fault.seconds)
        self.until(met)

    def until(self, look: Callable[[], T], seconds: float = 20, pause: float = 0.02) -> T:
        """Look again until there is something, for so long at most; what was seen last."""
        until = time.monotonic() + seconds
        while not (found := look()) and time.monotonic() < until and not self.stop.wait(pause):
            pass
        return found

    def until_done(self, act: Callable[[], int], seconds: float) -> int:
        """Act again while there is nothing to act on, or the broker or the database is away; what came of it."""

        def tried() -> int:
            try:
                return act()
            except AWAY:
                return 0

        return self.until(tried, seconds, 0.2)

    # -- hints --------------------------------------------------------------------------------------------------

    def hints(self, fault: Fault, kind: str) -> int:
        """Messages that nobody of ours has sent: doubled, stale, garbage; or none where there were some."""
        return self.until_done(lambda: self._hints(kind), 30)

    def _hints(self, kind: str) -> int:
        if kind == "purged":
            with self.stack.rabbitmq.channel() as channel:
                return sum(int(channel.queue_purge(queue).method.message_count) for queue in (RENDER, WEBHOOKS))
        if kind == "garbage":
            unknown = encode(Message(RENDER, "no_such_actor", "pdf_nobody"))
            wrong = [b"\xff\xfe no message", b"{}"]
            bodies = [*wrong, unknown, encode(Message(RENDER, ACTORS[RENDER], "pdf_nobody"))]
            return self.publish([*((RENDER, body) for body in bodies), *((WEBHOOKS, body) for body in wrong)])
        states = "('queued','processing')" if kind == "duplicated" else "('completed','failed','cancelled')"
        told = "('queued','processing')" if kind == "duplicated" else "('delivered','recorded','dead')"
        jobs = self.stack.sql(f"SELECT job_id FROM pdf_job_results WHERE status IN {states} ORDER BY RAND() LIMIT 30")
        calls = self.stack.sql(f"SELECT delivery_id FROM deliveries WHERE status IN {told} ORDER BY RAND() LIMIT 30")
        copies = [(RENDER, encode(Message(RENDER, ACTORS[RENDER], row["job_id"]))) for row in jobs]
        copies += [(WEBHOOKS, encode(Message(WEBHOOKS, ACTORS[WEBHOOKS], row["delivery_id"]))) for row in calls]
        return self.publish([*copies, *copies])

    def publish(self, messages: list[tuple[str, bytes]]) -> int:
        """Put messages into queues; returns how many."""
        luck = random.Random(len(messages))
        with self.stack.rabbitmq.channel() as channel:
            channel.confirm_delivery()
            for queue, body in messages:
                properties = pika.BasicProperties(delivery_mode=2, priority=luck.choice([0, 5, 9]))
                channel.basic_publish("", queue, body, properties)
        return len(messages)

    # -- clocks -------------------------------------------------------------------------------------------------

    def clock(self, fault: Fault, way: str) -> int:
        """A worker's clock jumps by a day or more, and back again."""
        names = [clock.name for clock in self.system.clocks.iterdir() if "." not in clock.name]
        program = sorted(names)[fault.luck % len(names)]
        self.system.turn_clock(program, DAY * (1 + fault.luck % 30) * (1 if way == "forward" else -1))
        self.stop.wait(fault.seconds)
        self.system.turn_clock(program, 0)
        return 1
