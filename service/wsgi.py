"""What gunicorn serves: `gunicorn -c ops/gunicorn.conf.py service.wsgi:app`.

The only service module that acts on import. With the in-process broker the whole system lives in this process, so this
module knows the actors too.
"""

import os

from actors.process.logs import set_up
from actors.process.runtime import build
from schema.rows.keys import require_keys
from schema.settings import Settings
from schema.sql.database import patiently
from service.app import create_app
from service.parts import ApiParts
from service.web_worker import at_stop

settings = Settings.from_env(os.environ)
set_up(settings)
runtime = build(settings)
runtime.verify_patiently()
patiently(lambda: require_keys(runtime.db, settings))
if settings.embedded:
    runtime.start_embedded()
    at_stop(runtime.stop_work)
app = create_app(
    ApiParts(
        settings=settings,
        db=runtime.db,
        documents=runtime.documents,
        artifacts=runtime.artifacts,
        wake=runtime.wake,
        broker_ping=lambda: runtime.publisher.ping(),
        stopping=runtime.attempts.stopping.is_set,
        tracing=runtime.tracing,
    )
)
