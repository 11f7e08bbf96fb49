"""Descriptors, one for each open file and connection: how many this process may have, and what is left for callers."""

import resource

from schema.settings import Settings, SettingsError

ENOUGH = 16_384  # More than any of our processes uses.
_OWN = 64  # For log, sockets, locks, counters, fonts, and the connections of threads that watch.
_EACH = 4  # For each thread: database (SQLite: two), broker or another server, a file.
_MOST = 1000  # Connections of one process. With more, accepting waits and the kernel's queue fills.


def raised() -> int:
    """Raise the soft limit towards the hard one and return it: the soft one is mostly an old default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return ENOUGH if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def for_callers(settings: Settings, limit: int) -> int:
    """How many connections one process of the API may keep open, idle ones included; raises SettingsError."""
    threads = settings.api_threads
    if settings.embedded:
        threads += settings.concurrent_workers + settings.webhook_threads
    own = _OWN + _EACH * threads
    least = settings.api_threads + 1  # one for each request at work, and one that waits
    if limit - own < least:
        raise SettingsError(
            "the limit of open files",
            str(limit),
            f"at least {own + least} with these settings (ulimit -n, systemd's LimitNOFILE, Docker's --ulimit nofile); "
            "or fewer REPORTQ_API_THREADS and REPORTQ_WEBHOOK_THREADS",
        )
    return min(_MOST, limit - own)
