"""Whether a worker of this host beats: the health check of docker-compose.yml.

    python -m ops.alive pdf        exit code 0, or 1 and a sentence

A worker beats every few seconds in the database, and no longer once it has no thread to work with.
"""

import os
import socket
import sys

from schema.environment.fitting import fit
from schema.errors import ReportqError
from schema.rows import workers
from schema.settings import Settings
from schema.sql.database import Database

WITHIN = 60.0  # seconds


def main(queue: str) -> int:
    """Look once; the reason goes to stderr."""
    try:
        db = Database(Settings.from_env(os.environ).database_url)
        hosts = {row["host"] for row in workers.live(db, WITHIN, queue)}
    except ReportqError as error:
        print(error, file=sys.stderr)
        return 1
    if fit(socket.gethostname(), 255) in hosts:
        return 0
    print(f"No worker of this host has beaten for {queue} within {WITHIN:.0f} s.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
