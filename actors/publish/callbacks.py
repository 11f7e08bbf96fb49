"""Which owed callbacks are published next: within the shares of their hosts, whatever waits beside them (DESIGN §2.10).

A look reads the front of the line. Only when hosts that are paused or have their share stand there, it goes from host to host.
"""

from __future__ import annotations

from collections.abc import Iterator

from schema.rows import deliveries, owed, pauses
from schema.rows.outbox import DELIVERIES, Taken
from schema.rows.pauses import PauseBoard
from schema.settings import Settings
from schema.sql.database import Database, Place, Row

_BEYOND = 20  # rows of the front that are read beyond those wanted
_HOSTS = 50  # hosts asked in one look; the next look goes on after them
_PROBES = 10  # paused hosts that are probed in one look


class Callbacks:
    """Takes due callbacks for one relay; remembers how far it went through hosts, and through the oldest."""

    def __init__(self, settings: Settings, db: Database, board: PauseBoard) -> None:
        self._settings = settings
        self._db = db
        self._board = board
        self._host: str | None = None  # the last one that was asked
        self._aged: Place | None = None

    def take(self, room: int) -> Taken:
        """Claim up to `room` callbacks of hosts that are open, by turn, then by time; no host gets more than its share."""
        share = self._settings.webhook_host_share
        closed = set(self._board.paused_hosts())
        # What must be recorded first would only block threads.
        recorded_only = "dependency:mongodb" in self._board.active()
        places = {host: share - n for host, n in deliveries.in_flight_by_host(self._db).items() if host}

        def may_go(row: Row) -> bool:
            return row["host"] not in closed and (row["recorded_at"] is not None or not recorded_only)

        dying = self._dying(room, places) if closed or recorded_only else []
        reach = room + _BEYOND
        front = owed.first(self._db, reach)
        chosen = _chosen([*filter(may_go, front), *dying], room, places, share)
        if len(chosen) < room and len(front) == reach:
            for host in self._hosts():
                free = room if not host else places.get(host, share)
                if host not in closed and free > 0:
                    front += owed.first(self._db, reach if recorded_only else min(free, room), host)
            chosen = _chosen([*filter(may_go, front), *dying], room, places, share)
        return DELIVERIES.seize(self._db, chosen, self._settings.relay_hold)

    def probes(self) -> Iterator[Taken]:
        """Of each paused host whose probe is due: its oldest due callback."""
        if not self._board.paused_hosts():
            return
        due = [row["scope"] for row in pauses.due_probes(self._db) if row["scope"].startswith("host:")]
        for scope in due[:_PROBES]:
            if pauses.win_probe(self._db, scope, self._settings.host_probe_every):
                first = owed.first(self._db, 1, scope.removeprefix("host:"))
                yield DELIVERIES.seize(self._db, [row["id"] for row in first], self._settings.relay_hold)

    def _dying(self, room: int, places: dict[str, int]) -> list[Row]:
        """What is owed for too long dies whatever the pause: its worker stops it without a POST."""
        found, following = owed.oldest(self._db, self._settings.delivery_deadline, self._aged)
        found = [row for row in found if places.get(row["host"], 1) > 0]
        if len(found) < room:
            self._aged = following
        return found

    def _hosts(self) -> list[str]:
        """The next hosts that have anything to publish, in turns when they are many."""
        hosts: list[str] = []
        while len(hosts) < _HOSTS:
            self._host = owed.next_host(self._db, self._host)
            if self._host is None:
                break
            hosts.append(self._host)
        return hosts


def _chosen(rows: list[Row], room: int, places: dict[str, int], share: int) -> list[str]:
    """The ids of those that go, in their order: `places` tells what is left of each host's share."""
    left = dict(places)
    ids: dict[str, None] = {}
    for row in sorted(rows, key=owed.order):
        host = row["host"]
        if len(ids) == room:
            break
        if row["id"] in ids or (host and left.setdefault(host, share) <= 0):
            continue
        if host:
            left[host] -= 1
        ids[row["id"]] = None
    return list(ids)
