"""Another entry of the `dramatiq` command, for trials and benches: production's worker with the trial renderer.

    Stack(folder, modules={"actors.worker": "ops.stack_worker"})

TRIAL_RENDERS names a file that gets a line for each render. Like actors/worker.py it acts on import: it reads the
environment and sets the broker.
"""

import os

from actors.process.logs import set_up
from actors.process.runtime import build
from ops.trial_renderer import TrialRenderer
from schema.settings import Settings

settings = Settings.from_env(os.environ)
set_up(settings)
runtime = build(settings, renderer=TrialRenderer(os.environ.get("TRIAL_RENDERS")))
runtime.guard_process = True
broker = runtime.broker
