"""A folder and a port that a start must have for itself, checked before anything is started."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path


class Refused(RuntimeError):
    """A start that cannot work out: one sentence for people, with what to do."""


@contextlib.contextmanager
def claimed(lock: Path, refusal: str) -> Iterator[None]:
    """Hold a file's lock, which ends with this process whatever ends it; Refused at once when another one holds it."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        opened = lock.open("a")
    except OSError as error:
        raise Refused(f"{lock} cannot be made ({error.strerror}): free space there, or choose other folders.") from None
    with opened as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(refusal) from None
        yield


def claim_port(host: str, port: int) -> None:
    """Refused when nobody could listen there now; the port is let go again for whoever is about to be started."""
    try:
        ((family, kind, _, _, address), *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn: ended connections may linger
            probe.bind(address)
            probe.listen()
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise Refused(
            f"Port {port} of {host} cannot be had ({why}): name another one with --port, or stop what listens there "
            f"(`ss -ltnp` names it)."
        ) from None
