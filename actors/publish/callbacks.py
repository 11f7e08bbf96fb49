"""Which owed callbacks are published next: no host gets more than its share (DESIGN §2.10).

A look reads the oldest due callbacks. When too few of them may go (their hosts are paused or have their share), it goes
from host to host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from schema.rows import deliveries, owed, pauses
from schema.rows.messages import DueWork
from schema.rows.outbox import DELIVERIES, Taken
from schema.rows.owed import Owed
from schema.rows.pauses import PauseBoard
from schema.settings import Settings
from schema.sql.database import Database, Place

_BEYOND = 20  # Rows that are read beyond those wanted.
_HOSTS = 50  # Hosts asked in one look. The next look goes on after them.
_PROBES = 10  # Paused hosts that are probed in one look.


@dataclass(eq=False)
class Callbacks:
    """Takes due callbacks for one relay. It remembers which host it asked last, and how far it read the oldest."""

    settings: Settings
    db: Database
    board: PauseBoard
    _host: str | None = None  # the last one that was asked
    _aged: Place | None = None

    def take(self, room: int) -> Taken[DueWork]:
        """Claim up to `room` callbacks of hosts that are open, by turn, then by time; no host gets more than its share."""
        share = self.settings.webhook_host_share
        closed = set(self.board.paused_hosts())
        # A callback whose record is not written would only keep a thread waiting for MongoDB.
        recorded_only = pauses.DEPENDENCY + "mongodb" in self.board.active()
        places = {host: share - n for host, n in deliveries.in_flight_by_host(self.db).items() if host}

        def may_go(row: Owed) -> bool:
            return row["host"] not in closed and (row["recorded_at"] is not None or not recorded_only)

        dying = self._dying(room, places) if closed or recorded_only else []
        reach = room + _BEYOND
        front = owed.first(self.db, reach)
        chosen = _chosen([*filter(may_go, front), *dying], room, places, share)
        if len(chosen) < room and len(front) == reach:
            for host in self._hosts():
                free = room if not host else places.get(host, share)
                if host not in closed and free > 0:
                    front += owed.first(self.db, reach if recorded_only else min(free, room), host)
            chosen = _chosen([*filter(may_go, front), *dying], room, places, share)
        return DELIVERIES.seize(self.db, chosen, self.settings.relay_hold)

    def probes(self) -> Iterator[Taken[DueWork]]:
        """The oldest due callback of each paused host whose probe is due."""
        if not self.board.paused_hosts():
            return
        due = [row["scope"] for row in pauses.due_probes(self.db) if row["scope"].startswith(pauses.HOST)]
        for scope in due[:_PROBES]:
            if pauses.win_probe(self.db, scope, self.settings.host_probe_every):
                first = owed.first(self.db, 1, scope.removeprefix(pauses.HOST))
                yield DELIVERIES.seize(self.db, [row["id"] for row in first], self.settings.relay_hold)

    def _dying(self, room: int, places: dict[str, int]) -> list[Owed]:
        """Callbacks that are owed for too long. They go in spite of a pause: their worker ends them without a POST."""
        found, following = owed.oldest(self.db, self.settings.delivery_deadline, self._aged)
        found = [row for row in found if places.get(row["host"], 1) > 0]
        if len(found) < room:
            self._aged = following
        return found

    def _hosts(self) -> list[str]:
        """The next hosts that have anything to publish; when they are many, each look takes the next few."""
        hosts: list[str] = []
        while len(hosts) < _HOSTS:
            self._host = owed.next_host(self.db, self._host)
            if self._host is None:
                break
            hosts.append(self._host)
        return hosts


def _chosen(rows: list[Owed], room: int, places: dict[str, int], share: int) -> list[str]:
    """The ids of those that may go, in order; `places` is what is left of each host's share."""
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
