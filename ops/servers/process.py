"""The base of every private server: one process in a folder, on ports of its own, bound to loopback."""

import contextlib
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Self, TypeVar

from ops.servers import leash
from ops.servers.packages import need

T = TypeVar("T", int, str)

_given_ports: set[int] = set()
_ports_lock = threading.Lock()


class ServerFailed(RuntimeError):
    """A server ended or did not answer in time; the text holds the end of its log."""


def free_port() -> int:
    """A loopback port that nobody listens on, below the range from which the kernel takes outgoing ports."""
    with _ports_lock:
        while True:
            port = random.SystemRandom().randint(20000, 32000)
            if port in _given_ports:
                continue
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            _given_ports.add(port)
            return port


def password() -> str:
    """24 random characters that need no quoting in a URL, in SQL or in a configuration file."""
    return secrets.token_hex(12)


def wait_until(true: Callable[[], bool], timeout: float, what: str) -> None:
    """Ask `true` every few milliseconds; TimeoutError naming `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    pause = 0.01
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout:g} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def output_of(command: Sequence[str], what: str, **options: Any) -> str:
    """What a command prints; ServerFailed, with all that it said, when it fails. `options` are subprocess.run's."""
    kept: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "check": False}
    done = subprocess.run(command, **kept | options)
    if done.returncode:
        raise ServerFailed(f"{what}: {done.stdout}{done.stderr}")
    return str(done.stdout)


def filled(file: Path, places: Mapping[str, object]) -> dict[str, str]:
    """The `NAME=value` lines of a file of settings, with these values at its `$places`; a # begins a comment's line."""
    lines = Template(file.read_text()).substitute(places).splitlines()
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def write_private(file: Path, text: str) -> Path:
    """Written for its owner alone: there are passwords in it."""
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text)
    return file


class Server:
    """One private server. Subclasses say which command to run and how to ask whether it answers.

    Ports and passwords are chosen once and kept in the folder: a restart, or a new object for that folder,
    gets the same ones. Nothing outlives the process that called `start()` (see `leash`).
    """

    name = "server"
    package = ""  # Debian's, installed when it is missing
    not_yet: tuple[type[Exception], ...] = (OSError,)  # what `answers` may raise while the server does not

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.runs_in = self.folder
        self.log = self.folder / f"{self.name}.log"
        self.pid: int | None = None  # of the server itself, while it runs
        self._leash: subprocess.Popen[bytes] | None = None
        self._log_before = 0  # bytes of the log that are older than the last start
        if self.package:
            need(self.package)
        self.port = self.kept("port", free_port)

    # What a subclass provides

    def command(self) -> list[str]:
        """The program and its arguments."""
        raise TypeError(f"{type(self).__name__} names no command")

    def environment(self) -> dict[str, str]:
        """Variables beside the inherited ones."""
        return {}

    def prepare(self) -> None:
        """Write configuration and make folders; called before each start, so it must be repeatable."""

    def answers(self) -> bool:
        """Whether the server does its work now; False, or an error of `not_yet`, while it does not."""
        raise TypeError(f"{type(self).__name__} cannot be asked")

    def settle(self) -> None:
        """Called once the server answers after a start: users, checks of its settings."""

    # What everybody uses

    def start(self, timeout: float = 60) -> Self:
        """Start and wait until it answers."""
        self.launch()
        self.wait_ready(timeout)
        return self

    def launch(self) -> None:
        """Start without waiting."""
        if self.running:
            raise ServerFailed(f"{self.name} in {self.folder} runs already as process {self.pid}")
        self._ended()
        self.prepare()
        mine, theirs = os.pipe()
        with self.log.open("ab") as log:
            self._log_before = log.tell()
            self._leash = subprocess.Popen(
                [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), str(theirs), *self.command()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.runs_in,
                env={**os.environ, **self.environment()},
                pass_fds=(theirs,),
                start_new_session=True,  # Ctrl-C reaches the starter only, which then stops us in order
            )
        os.close(theirs)
        with os.fdopen(mine, "rb") as report:
            self.pid = int(report.read() or 0) or None

    def wait_ready(self, timeout: float = 60) -> None:
        """Return when the server answers; ServerFailed, with the end of its log, when it does not."""

        def ready() -> bool:
            if not self.running:
                raise ServerFailed(f"{self.name} ended while starting:\n{self.tail()}")
            try:
                return self.answers()
            except self.not_yet:
                return False

        try:
            wait_until(ready, timeout, f"{self.name} answers")
        except TimeoutError as late:
            tail = self.tail()
            self.kill()
            raise ServerFailed(f"{late}\n{tail}") from None
        self.settle()

    @property
    def running(self) -> bool:
        return self._leash is not None and self._leash.poll() is None

    def processes(self) -> list[int]:
        """Process ids of the server and of everything it spawned."""
        return leash.descendants(self._leash.pid) if self._leash is not None and self.running else []

    def stop(self, timeout: float = 30) -> None:
        """End it in order; kill it when that takes over `timeout` seconds. Harmless when it does not run."""
        if self._leash is None:
            return
        if self.running:
            self.resume()
            self._signal(signal.SIGTERM)
            try:
                self._leash.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        self._ended()

    def kill(self) -> None:
        """SIGKILL for the server and everything it spawned; returns when all of it is gone."""
        if self._leash is None:
            return
        self._signal(signal.SIGKILL)
        try:
            self._leash.wait(10)
        except subprocess.TimeoutExpired:
            leash.kill_all_below(self._leash.pid)
            self._leash.kill()
            self._leash.wait()
        self._ended()

    def restart(self, timeout: float = 60) -> Self:
        """Stop when it still runs, then start on the same ports and folder."""
        self.stop()
        return self.start(timeout)

    def suspend(self) -> None:
        """SIGSTOP: connections stay open, nothing answers; returns when every thread of it stands."""
        for pid in self.processes():
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: _stands(pid), 10, f"{self.name} stands")  # noqa: B023

    def resume(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGCONT)

    def tail(self, lines: int = 30) -> str:
        """The last lines of the log, as far as they were written since the last start."""
        try:
            written = self.log.read_bytes()[self._log_before :]
            return "\n".join(written.decode(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def kept(self, key: str, make: Callable[[], T]) -> T:
        """A value chosen once for this folder (a port, a password) and found again by the next object."""
        file = self.folder / f"{self.name}.json"
        chosen = json.loads(file.read_text()) if file.exists() else {}
        if key not in chosen:
            chosen[key] = make()
            write_private(file, json.dumps(chosen))
        value: T = chosen[key]
        return value

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _signal(self, number: int) -> None:
        if self.pid is not None and self.running:
            os.kill(self.pid, number)

    def _ended(self) -> None:
        if self._leash is not None and self._leash.stdin is not None:
            self._leash.stdin.close()
        self._leash = None
        self.pid = None


def _stands(pid: int) -> bool:
    """Whether every thread of a process is stopped, or gone: one that is under way may still answer."""
    states = set()
    with contextlib.suppress(OSError):  # it ended while we looked
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                states.add(Path(f"/proc/{pid}/task/{thread}/stat").read_text().rpartition(")")[2].split()[0])
    return states <= {"T", "Z", "X"}


def listening(port: int) -> bool:
    """Whether somebody accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def listens(pids: Iterable[int], port: int) -> bool:
    """Whether one of these processes listens on the port: who answers there may be somebody else's."""
    theirs = set()
    for pid in pids:
        with contextlib.suppress(OSError):  # it ended while we looked
            for descriptor in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    theirs.add(os.readlink(descriptor.path))
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not os.path.exists(table):
            continue
        for row in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = row.split()[:10]
            if state == "0A" and int(local.rpartition(":")[2], 16) == port and f"socket:[{inode}]" in theirs:
                return True
    return False
