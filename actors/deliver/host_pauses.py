"""Which answers pause a webhook host or one of its paths, and which end that (DESIGN §2.14)."""

from functools import partial

from schema.callbacks.urls import host_of, path_key, redact
from schema.ports import Answer
from schema.rows import pauses
from schema.rows.deliveries import DeliveryClaim
from schema.rows.pauses import PauseBoard
from schema.sql.database import Database

HOST_STREAK = 5  # Connections that fail in a row pause a host …
HOST_OWNERS = 2  # … when they are of so many deliveries.
BAD_PATHS = 3  # Different paths in a row that time out or answer 502 or 503: then the host is down behind its proxy.
PATH_STREAK = 3  # The same answers of one path pause it alone, when they are of HOST_OWNERS deliveries.
MOST_PATHS = 20  # Paths of one host that are paused at the same time.


def note_answer(db: Database, board: PauseBoard, probe_every: float, held: DeliveryClaim, answer: Answer) -> None:
    """Count an answer for or against its host and path. Without pauses, each callback of a dead host keeps a thread waiting."""
    url = held.row["url"] or ""
    host, path = host_of(held.row["host"]), path_key(url)
    scope, gateway, paths = pauses.HOST + host, pauses.GATEWAY + host, pauses.PATHS + host
    lane = f"{scope}#{path}"
    count = partial(pauses.note_failure, db, window=None, probe_every=probe_every)
    started = held.start_no
    what = "did not answer in time, or answered 502 or 503,"
    if answer.failure == "connect":
        reason = f"The host took no connection {HOST_STREAK} times in a row."
        count(scope, (held.delivery_id, started), streak=HOST_STREAK, owners=HOST_OWNERS, reason=reason)
    elif answer.failure == "timeout" or answer.status in (502, 503):
        reason = f"The host {what} on {BAD_PATHS} different paths in a row."
        count(gateway, (path, started), opens=scope, streak=BAD_PATHS, owners=BAD_PATHS, reason=reason)
        if lane in board.active() or sum(name.startswith(f"{scope}#") for name in board.active()) < MOST_PATHS:
            reason = f"{redact(url)} {what} {PATH_STREAK} times in a row; other paths of the host go on."
            member, among = (f"{path} {held.delivery_id}", started), f"{path} "
            count(paths, member, opens=lane, among=among, streak=PATH_STREAK, owners=HOST_OWNERS, reason=reason)
    elif answer.status is not None:
        if board.in_streak(gateway):
            pauses.note_success(db, gateway)
        if board.in_streak(paths, path):
            pauses.note_success(db, paths, path)
        for paused in (scope, lane):
            if board.in_streak(paused) or paused in board.active():
                pauses.resume(db, paused, outages_only=True)
