"""Which fault happens when: made from the seed alone, every kind at least once by construction.

Faults run in lanes, side by side; within a lane one after the other, so that one program is not struck twice at once.
"""

import random
from dataclasses import dataclass

LEASE = 12.0  # seconds; longer than the 10 s one statement may take, as in production
LONGER_THAN_A_LEASE = LEASE + 2.0

PARTS = ("api", "relay", "render", "webhook")
SERVERS = ("rabbitmq", "mariadb", "mongodb")
ROUTES = ("database-workers", "database-front", "rabbitmq", "mongodb", "drive")
DRIVE = ("rate_limit", "server_error", "html", "hang", "lost_answer")

# kind → (lane, shortest, longest seconds it lasts)
Kinds = dict[str, tuple[str, float, float]]
_FIRST: Kinds = {
    **{f"kill:{part}": ("programs", 0.0, 0.0) for part in PARTS},
    **{f"term:{part}": ("programs", 0.0, 0.0) for part in PARTS},
    **{f"stop:{part}": ("programs", 1.0, 5.0) for part in ("api", "relay")},
    "stop:render": ("programs", LONGER_THAN_A_LEASE, LONGER_THAN_A_LEASE + 2),
    "stop:webhook": ("programs", 2.0, 6.0),
    **{f"kill:{server}": ("servers", 0.0, 1.5) for server in SERVERS},
    **{f"term:{server}": ("servers", 0.0, 1.5) for server in SERVERS},
    **{f"stop:{server}": ("servers", 1.0, 5.0) for server in SERVERS},
    **{f"drive:{kind}": ("drive", 0.5, 2.5) for kind in DRIVE},
    "receiver:away": ("drive", 1.0, 3.0),
    **{f"delay:{route}": ("network", 1.0, 3.0) for route in ROUTES},
    **{f"cut:{route}": ("network", 0.1, 1.0) for route in ROUTES},
    **{f"half-open:{route}": ("network", 1.0, 4.0) for route in ROUTES},
    "hints:duplicated": ("hints", 0.0, 0.0),
    "hints:stale": ("hints", 0.0, 0.0),
    "hints:garbage": ("hints", 0.0, 0.0),
    "hints:purged": ("hints", 0.0, 0.0),
    "clock:forward": ("hints", 2.0, 6.0),
    "clock:back": ("hints", 2.0, 6.0),
}
# Planned by a chance of their own, in lanes of their own: what a seed made of the first ones it still makes.
_LATER: Kinds = {
    "letters:pdf.XQ-to-webhooks": ("desk", 0.0, 0.0),
    "letters:webhooks.XQ-to-pdf": ("desk", 0.0, 0.0),
    "letters:huge-14": ("desk", 0.0, 0.0),
    "letters:huge-40": ("desk", 0.0, 0.0),
    "messages:malformed": ("desk", 0.0, 0.0),
    "full:run": ("disks", 2.0, 6.0),
    "full:mariadb": ("disks", 1.0, 4.0),
    "full:pdfs": ("disks", 2.0, 6.0),
    "receiver:starting": ("answers", 1.5, 4.0),
}
KINDS: Kinds = {**_FIRST, **_LATER}
LANES = tuple(dict.fromkeys(lane for lane, _, _ in KINDS.values()))
# These come twice in every schedule: what they prove hangs on where a job happens to be.
TWICE = ("kill:render", "kill:webhook", "kill:api", "drive:lost_answer", "hints:stale", "stop:render")
GAP = (0.2, 1.2)  # seconds between two faults of a lane
JOBS_PER_EXTRA = 40  # one fault more for so many jobs

# How receivers answer a job's callback, beside 200: chosen for one job of five.
_ANSWERS = ("500", "409-then-200", "302", "drip", "huge", "reset", "hang")
RECEIVERS = (*_ANSWERS, "interim")


@dataclass(frozen=True)
class Fault:
    """One planned fault: `at` seconds after the load began at the earliest, for `seconds`; `luck` chooses its victim."""

    at: float
    kind: str
    lane: str
    seconds: float
    luck: int


def plan(jobs: int, seed: int) -> list[Fault]:
    """The schedule of one run, in the order of its moments; equal arguments give equal plans."""
    first = _lanes(random.Random(f"faults {seed}"), _FIRST, TWICE, jobs)
    later = _lanes(random.Random(f"later faults {seed}"), _LATER, (), jobs)
    return sorted([*first, *later], key=lambda fault: fault.at)


def _lanes(chance: random.Random, kinds: Kinds, twice: tuple[str, ...], jobs: int) -> list[Fault]:
    """Every one of these kinds, some twice, and more for many jobs."""
    names = [*kinds, *twice]
    names += [chance.choice(list(kinds)) for _ in range(jobs // JOBS_PER_EXTRA)]
    chance.shuffle(names)
    lanes: dict[str, float] = {}
    faults = []
    for name in names:
        lane, shortest, longest = kinds[name]
        at = lanes.get(lane, 1.0) + chance.uniform(*GAP)
        seconds = round(chance.uniform(shortest, longest), 2)
        faults.append(Fault(round(at, 2), name, lane, seconds, chance.randrange(1000)))
        lanes[lane] = at + seconds
    return faults


def length(faults: list[Fault]) -> float:
    """Seconds from the load's begin to the last fault's planned end."""
    return max((fault.at + fault.seconds for fault in faults), default=0.0)


@dataclass(frozen=True)
class Order:
    """One submission as the seed wants it."""

    number: int
    priority: str
    product: str
    receiver: str  # An empty one answers 200.
    keyed: bool  # It has an Idempotency-Key, and is sent again when the answer was lost.
    cancel_after: float | None  # Seconds until it is cancelled.
    batch: int = 0  # The number of jobs in a batch, each an order of its own; 0 for a single job.


BATCH_EVERY = 24  # of so many submissions one is a batch
PRODUCTS = (("short", 70), ("noop", 12), ("long", 6), ("flaky", 6), ("bad", 3), ("missing", 3))


def order(seed: int, number: int) -> Order:
    """The submission `number` of a run; independent of what happened to the others."""
    chance = random.Random(f"order {seed} {number}")
    product = chance.choices([name for name, _ in PRODUCTS], [weight for _, weight in PRODUCTS])[0]
    # The first ones meet every receiver in turn, several times: each kind at least once by construction, although some
    # submissions are never confirmed.
    receiver = chance.choice(_ANSWERS) if chance.random() < 0.2 else ""
    if receiver and random.Random(f"answer {seed} {number}").random() < 1 / len(RECEIVERS):
        receiver = "interim"
    if number < 4 * len(RECEIVERS):
        receiver = RECEIVERS[number % len(RECEIVERS)]
    if number % 60 < 3:
        product = "long"
    if number % 60 == 10:
        product = "missing"  # somebody's letter to move by hand
    return Order(
        number,
        chance.choices(["high", "normal", "low"], [2, 6, 2])[0],
        product,
        receiver,
        chance.random() < 0.3,
        chance.uniform(0.0, 2.0) if chance.random() < 0.04 else None,
        random.Random(f"batch {seed} {number}").randint(2, 12) if number % BATCH_EVERY == BATCH_EVERY - 1 else 0,
    )
