"""Runs one server and ends it, with everything it spawned, as soon as the starter is gone.

Started as `python -I -S leash.py STARTER_PID REPORT_FD COMMAND…`. It adopts daemons that its server leaves
behind (PR_SET_CHILD_SUBREAPER), so that "the whole server" can be killed however often it forked. The starter
holds the other end of our standard input: end of file, or another parent, means that the starter died.
(PR_SET_PDEATHSIG is not enough: it fires when the *thread* that forked ends, and only for the child.)
"""

import ctypes
import os
import select
import signal
import sys

PR_SET_CHILD_SUBREAPER = 36


def descendants(root: int) -> list[int]:
    """Process ids of everything below `root`, read from /proc; zombies are left out."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue  # it ended while we looked
        if state != b"Z":
            children.setdefault(int(parent), []).append(int(entry))
    found: list[int] = []
    unseen = [root]
    while unseen:
        below = children.get(unseen.pop(), [])
        found += below
        unseen += below
    return found


def kill_all_below(root: int) -> None:
    """SIGKILL until nothing is left: a process may fork between the look and the blow."""
    while pids := descendants(root):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        select.select([], [], [], 0.01)


def reap(awaited: int) -> int | None:
    """Collect ended children; the wait status of `awaited` when it is among them."""
    ended = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        if pid == awaited:
            ended = status


def run(command: list[str], report: int) -> int:
    """Fork and exec the server with the signals and the standard input a fresh process expects."""
    pid = os.fork()
    if pid:
        os.write(report, str(pid).encode())
        os.close(report)
        return pid
    try:
        os.close(report)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 - no shell is the point
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def main() -> int:
    """Wait for whichever comes first: the server's end or the starter's."""
    starter, report, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the starter decides; it signals the server itself
    server = run(command, report)
    while True:
        readable, _, _ = select.select([0, wake], [], [], 1.0)
        if wake in readable:
            os.read(wake, 4096)
        status = reap(server)
        if status is not None:
            kill_all_below(os.getpid())
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if (0 in readable and not os.read(0, 1)) or os.getppid() != starter:
            kill_all_below(os.getpid())
            return 137


if __name__ == "__main__":
    raise SystemExit(main())
