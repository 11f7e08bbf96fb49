"""Which owed callbacks are published next: no host gets more than its share (DESIGN §2.10).

A look reads the oldest due callbacks. When too few of them may go (their hosts are paused or have their share), it goes
from host to host. It moves the callbacks of a paused path into this path's lane, which counts as a host. A host and its
lanes have one share together.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schema.callbacks.urls import host_of, path_key
from schema.rows import deliveries, owed, pauses
from schema.rows.messages import DueWork
from schema.rows.outbox import DELIVERIES, Taken
from schema.settings import Settings
from schema.sql.database import Database, Place

_BEYOND = 20  # Rows that are read beyond those wanted.
_HOSTS = 50  # Hosts asked in one look. The next look goes on after them.
_PROBES = 10  # Paused hosts that are probed in one look.
_SLOW = 3.0  # Seconds of work that make a callback slow. A path with half a share of such ones leaves half a share to others.
_PAGE, _PAGES = 150, 10  # A paused path's callbacks that one look puts into their lane: so many at once, and how often.


@dataclass(eq=False)
class Callbacks:
    """Takes due callbacks for one relay. It remembers which host it asked last, and how far it read the oldest."""

    settings: Settings
    db: Database
    board: pauses.PauseBoard
    _host: str | None = None  # the last one that was asked
    _aged: Place | None = None

    def take(self, room: int) -> Taken[DueWork]:
        """Claim up to `room` callbacks of hosts that are open, by turn, then by time; no host gets more than its share."""
        share = self.settings.webhook_host_share
        closed = set(pauses.hosts_of(self.board.active()))
        # A callback whose record is not written would only keep a thread waiting for MongoDB.
        recorded_only = pauses.DEPENDENCY + "mongodb" in self.board.active()
        places: dict[str, int] = defaultdict(lambda: share)
        for key, n in deliveries.in_flight_by_host(self.db).items():
            if key:
                places[host_of(key)] -= n

        if any(left <= 0 for left in places.values()):
            # Else a slow path keeps its host's whole share for as long as a time-out.
            slow = [lane for lane, n in deliveries.slow_by_lane(self.db, _SLOW).items() if n >= max(2, share // 2)]
            closed.update(slow)
            for host in {host_of(lane) for lane in slow}:
                places[host] += share // 2

        def may_go(row: owed.Owed) -> bool:
            return not _shut(row["host"], closed) and (row["recorded_at"] is not None or not recorded_only)

        dying = self._dying(room, places) if closed or recorded_only else []
        reach = room + _BEYOND
        front = self._first(reach, closed)
        chosen = _chosen([*filter(may_go, front), *dying], room, places)
        if len(chosen) < room and len(front) == reach:
            for host in self._hosts():
                free = room if not host else places[host_of(host)]
                if not _shut(host, closed) and free > 0:
                    front += self._first(reach if recorded_only else min(free, room), closed, host)
            chosen = _chosen([*filter(may_go, front), *dying], room, places)
        return DELIVERIES.seize(self.db, chosen, self.settings.relay_hold)

    def probes(self) -> Iterator[Taken[DueWork]]:
        """Of each paused host or path whose probe is due the due callback with the fewest tries."""
        closed = set(pauses.hosts_of(self.board.active()))
        if not closed:
            return
        due = pauses.hosts_of(row["scope"] for row in pauses.due_probes(self.db))
        for key in [key for key in due if host_of(key) == key or host_of(key) not in closed][:_PROBES]:
            if not pauses.win_probe(self.db, pauses.HOST + key, self.settings.host_probe_every):
                continue
            first = owed.first(self.db, _PAGE, key)
            lane = owed.next_host(self.db, key)
            while not first and lane and host_of(lane) == key:  # it has nothing due but in its lanes
                first, lane = owed.first(self.db, _PAGE, lane), owed.next_host(self.db, lane)
            if first:
                probe = min(first, key=lambda row: (row["tries"], *owed.order(row)))
                yield DELIVERIES.seize(self.db, [probe["id"]], self.settings.relay_hold)
            elif host_of(key) != key and not owed.anything(self.db, key):
                pauses.resume(self.db, pauses.HOST + key, outages_only=True)  # else nothing would ever lift it

    def _first(self, limit: int, closed: set[str], host: str | None = None) -> list[owed.Front]:
        """The first due ones, after those of paused paths were put into their lanes."""
        parted = {host_of(key) for key in closed if host_of(key) != key}
        for page in range(_PAGES):
            rows = owed.first(self.db, _PAGE if page else limit, host)
            apart: dict[str, list[str]] = defaultdict(list)
            for row in rows:
                if row["host"] in parted and (lane := f"{row['host']}#{path_key(row['url'] or '')}") in closed:
                    apart[lane].append(row["id"])
                    row["host"] = lane
            for lane, ids in apart.items():
                owed.set_apart(self.db, lane, ids)
            if not apart:
                break
        return rows[:limit]

    def _dying(self, room: int, places: dict[str, int]) -> list[owed.Owed]:
        """Callbacks that are owed for too long. They go in spite of a pause: their worker ends them without a POST."""
        found, following = owed.oldest(self.db, self.settings.delivery_deadline, self._aged)
        found = [row for row in found if places[host_of(row["host"])] > 0]
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


def _shut(host: str, closed: set[str]) -> bool:
    return host in closed or host_of(host) in closed


def _chosen(rows: Sequence[owed.Owed], room: int, places: dict[str, int]) -> list[str]:
    """The ids of those that may go, in order; `places` is what is left of each host's share."""
    left = places.copy()
    ids: dict[str, None] = {}
    for row in sorted(rows, key=owed.order):
        host = host_of(row["host"])
        if len(ids) == room:
            break
        if row["id"] in ids or (host and left[host] <= 0):
            continue
        if host:
            left[host] -= 1
        ids[row["id"]] = None
    return list(ids)
