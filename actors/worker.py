"""The entry of the `dramatiq` command: `dramatiq actors.worker --processes 1 --threads N --queues pdf|webhooks`.

The only actors module that acts on import: it reads the environment and sets the broker.
"""

import os

from actors.process.logs import set_up
from actors.process.runtime import build
from schema.host.descriptors import raised
from schema.settings import Settings

settings = Settings.from_env(os.environ)
set_up(settings)
raised()
runtime = build(settings)
runtime.guard_process = True
broker = runtime.broker
