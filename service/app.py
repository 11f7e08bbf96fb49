"""The API: which path leads to which route, and what every request passes on its way."""

from functools import partial
from typing import Any

import falcon
from falcon.routing import CompiledRouter

from middleware.meters.counters import Meters, folder_of
from schema.errors import ReportqError
from schema.metrics import table as metrics
from schema.rows import switches
from schema.rows.keys import KeyRing
from schema.sql.cached import Cached
from service.door.access import Access
from service.door.counted import Counted
from service.door.problems import http_error, refused, unexpected
from service.door.rates import RateLimits
from service.door.request import Doorway, Headers, Request
from service.estimates import QueueView
from service.parts import ApiParts
from service.routes.batches import Batches
from service.routes.console import Console
from service.routes.dead_letters import DeadLetters
from service.routes.deliveries import Deliveries
from service.routes.docs import Docs
from service.routes.downloads import Downloads
from service.routes.generate import Generate
from service.routes.health import Live, Ready, Whoever
from service.routes.jobs import Job, Jobs
from service.routes.links import Links, Opened
from service.routes.metrics import Metrics
from service.routes.overview import Overview
from service.routes.previews import Previews
from service.routes.products import Products
from service.routes.queues import QueueAct, Queues
from service.routes.reports import Batch, GenerateAsync
from service.waiters import WaiterBoard
from service.watch import Watch


def create_app(parts: ApiParts) -> Any:
    """The WSGI application over these parts."""
    links = parts.settings.links_path
    view = QueueView(parts.db, parts.settings)
    meters = Meters(folder_of(parts.settings.run_dir, metrics.API))
    keys = KeyRing(parts.db, parts.settings)
    rates = RateLimits(parts.settings.run_dir)
    waiters = WaiterBoard(parts.db, parts.settings.waiters, parts.stopping)
    downloads = Downloads(parts)
    rollout = Cached(partial(switches.stored, parts.db, parts.settings), parts.settings.switch_poll)
    pings = {"documents": parts.documents.ping, "artifacts": parts.artifacts.ping, "broker": parts.broker_ping}
    watch = Watch(parts.settings, parts.db, {"database": parts.db.ping, **pings})
    router = CompiledRouter()
    doors: list[Any] = [Headers(), Counted(meters), Doorway(links, router), Access(parts.settings, keys, rates)]
    if parts.tracing is not None:
        from middleware.tracing.accepting import Accepting  # late: it loads OpenTelemetry

        doors.insert(0, Accepting(parts.tracing))
    app: Any = falcon.App(media_type="application/json", request_type=Request, middleware=doors, router=router)
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.keep_blank_qs_values = True
    app.req_options.auto_parse_qs_csv = False
    app.add_route("/api/reports/generate-async", GenerateAsync(parts, view))
    app.add_route("/api/reports/generate", Generate(parts, view, waiters, downloads, rollout, meters))
    app.add_route("/api/reports/batch", Batch(parts, view, rates))
    app.add_route("/api/products", products := Products(parts))
    for part in ("schema", "validate"):
        app.add_route(f"/api/products/{{product_id}}/{part}", products, suffix=part)
    app.add_route("/api/products/{product_id}/preview", Previews(parts, view, waiters))
    app.add_route("/api/batches/{batch_id}", batches := Batches(parts, view, waiters))
    app.add_route("/api/batches", batches, suffix="list")
    for act in ("cancel", "replay", "download"):
        app.add_route(f"/api/batches/{{batch_id}}/{act}", batches, suffix=act)
    app.add_route("/api/jobs", Jobs(parts))
    app.add_route("/api/jobs/{job_id}", job := Job(parts, view, waiters))
    app.add_route("/api/jobs/{job_id}/download", downloads)
    app.add_route("/api/jobs/{job_id}/links", reader_links := Links(parts, downloads))
    app.add_route("/api/jobs/{job_id}/links/{link_id}", reader_links, suffix="one")
    app.add_route("/l/{token}", Opened(parts, downloads, rates))
    for act in ("cancel", "replay"):
        app.add_route(f"/api/jobs/{{job_id}}/{act}", job, suffix=act)
    app.add_route("/openapi.json", docs := Docs(parts.settings.links_base, keys))
    app.add_route("/docs", docs, suffix="people")
    app.add_route("/docs/problems", docs, suffix="problems")
    app.add_route("/metrics", Metrics(parts, watch))
    app.add_route("/api/jobs/{job_id}/deliveries", deliveries := Deliveries(parts))
    app.add_route("/api/jobs/{job_id}/deliveries/{delivery_id}/resend", deliveries, suffix="resend")
    app.add_route("/api/dead-letters", letters := DeadLetters(parts))
    app.add_route("/api/dead-letters/{letter_id}", letters, suffix="one")
    for act in ("replay", "discard"):
        app.add_route(f"/api/dead-letters/{act}", letters, suffix=act)
    app.add_route("/api/queues", Queues(parts))
    for act in ("pause", "drain", "resume"):
        app.add_route(f"/api/queues/{{name}}/{act}", QueueAct(parts, act))
    app.add_route("/api/me", Whoever(parts))
    app.add_route("/api/overview", Overview(parts, watch))
    app.add_route("/", console := Console(links))
    app.add_route("/console/{name}", console)
    app.add_route("/favicon.ico", console, suffix="icon")
    app.add_route("/livez", Live())
    app.add_route("/readyz", Ready(parts, watch))
    app.add_error_handler(Exception, unexpected)
    app.add_error_handler(falcon.HTTPError, http_error)
    app.add_error_handler(ReportqError, refused)
    return app
