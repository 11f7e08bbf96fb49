"""The table of settings: what each means, what it may be, and which go together.

`Settings.from_env(os.environ)` is the only reader of the environment; `schema/environment/variables.py` says how.
Durations are seconds. With nothing set, the whole system runs in one process, without servers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from schema.environment import server_urls
from schema.environment.secret_lists import parse_api_keys, parse_password_keys, parse_webhook_secrets
from schema.environment.server_urls import without_password
from schema.environment.variables import PREFIX as PREFIX
from schema.environment.variables import SettingsError as SettingsError
from schema.environment.variables import setting, values

# seconds a callback is owed: a weekend, and as long as its schedule (schema/callbacks/answers.py)
OWED_FOR = 72 * 3600.0

# A host, a port, and a path whose odd characters are percent-encoded; no user, no query.
_PUBLIC_URL = re.compile(r"(?i:https?)://([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[\w.~!$&'()*+,;=:@%-]+)*/?", re.ASCII)
FILE_NAME_FIELD = re.compile(r"\{([^{}]*)\}")
_FILE_NAME_FIELDS = ("product_id", "code", "job_id", "date")

# The plan's "Resource Allocation" table.
PROFILES: dict[str, dict[str, Any]] = {
    "development": {"concurrent_workers": 2, "max_queue_size": 100, "job_timeout": 300.0},
    "staging": {"concurrent_workers": 3, "max_queue_size": 500, "job_timeout": 300.0},
    "production": {"concurrent_workers": 5, "max_queue_size": 1000, "job_timeout": 600.0},
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole configuration; immutable. Field metadata holds the documentation shown by `ops/reportq config`."""

    profile: str = setting(
        "development", "development, staging or production: the plan's numbers", choices=tuple(PROFILES)
    )

    # Four URLs choose the adapters.
    database_url: str = setting("sqlite:///var/reportq.db", "where rows live", schemes=("sqlite", "mysql"), secret=True)
    documents_url: str = setting(
        "database:", "source reports and permanent results: a table of the database, or MongoDB",
        schemes=("database", "mongodb", "mongodb+srv"), secret=True,
    )  # fmt: skip
    broker_url: str = setting(
        "memory:", "in-process broker, or RabbitMQ (several nodes separated by ';')",
        schemes=("memory", "amqp", "amqps"), secret=True, separator=";",
    )  # fmt: skip
    artifacts_url: str = setting(
        "file:var/artifacts", "PDF store: a folder, or gdrive://<folder id>", schemes=("file", "gdrive")
    )

    # The plan's configuration (§4.1).
    concurrent_workers: int = setting(2, "render workers on this host", least=1, most=512)
    max_queue_size: int = setting(100, "jobs published and not yet started, per queue", least=1, most=100_000)
    job_timeout: float = setting(300.0, "seconds one attempt may take", least=0.1, most=1500)
    retry_attempts: int = setting(3, "retries of a failing job after its first attempt", least=0, most=20)
    cleanup_completed_after: float = setting(3600.0, "seconds an ended job's row is kept", least=1)
    keep_resolved_letters: float = setting(2_592_000.0, "seconds a resolved dead letter is kept", least=1)

    # The API.
    host: str = setting("127.0.0.1", "address the API listens on; beyond loopback keys are required")
    port: int = setting(8000, "port the API listens on", least=0, most=65535)
    public_url: str = setting("", "what links are built from; empty: http://<host>:<port>")
    api_workers: int = setting(2, "gunicorn processes (the in-process broker needs exactly 1)", least=1, most=64)
    api_threads: int = setting(8, "threads of each gunicorn process", least=1, most=256)
    api_keys: str = setting(
        "", "comma-separated name:role:key, role submit, read or operate; empty: none needed",
        secret=True, separator=",",
    )  # fmt: skip
    max_backlog: int = setting(100_000, "jobs that may wait before submissions get 429", least=1)
    max_body: int = setting(1_000_000, "bytes a request body may have", least=1000)
    max_batch: int = setting(500, "jobs one batch may submit", least=1, most=5000)
    api_waiters: int = setting(
        0, "callers of one process that may wait for a job at the same time; 0: half of the threads", least=0, most=256
    )
    longest_wait: float = setting(
        60.0, "seconds a caller may wait for a job; below the timeout of a proxy in front", least=0.1, most=60
    )
    rate_limit: int = setting(0, "requests a minute of a key without a rate of its own; 0: no limit", least=0)
    download_redirect: bool = setting(False, "answer downloads with 302 to the storage's link where it has one")
    file_name: str = setting(
        "{product_id}-{code}.pdf", "what PDFs are called; fields: {product_id}, {code}, {job_id}, {date}"
    )
    callback_link_for: float = setting(
        0.0,
        "seconds that a link in callbacks opens the PDF without a key; 0: callbacks name the download, which needs one",
        least=0, most=7_776_000,
    )  # fmt: skip
    password_keys: str = setting(
        "",
        "comma-separated keys that seal PDF passwords in rows, each the base64 of 32 random bytes; the first seals, all of "
        "them open; empty: no password is taken", secret=True, separator=",",
    )  # fmt: skip
    rollout_percent: int = setting(0, "share of codes the synchronous endpoint queues at once", least=0, most=100)
    sync_enabled: bool = setting(True, "whether POST /api/reports/generate is served")
    sync_sunset_after: float = setting(
        15_552_000.0, "seconds from a rollout of 100 % to the Sunset that POST /api/reports/generate announces", least=0
    )

    # Callbacks.
    webhook_threads: int = setting(16, "callbacks sent at the same time by one webhook worker", least=1, most=256)
    webhook_host_share: int = setting(8, "most callbacks sent at the same time to one host", least=1, most=256)
    webhook_timeout: float = setting(30.0, "seconds a receiver has to answer", least=0.1, most=300)
    webhook_secrets: str = setting(
        "", "comma-separated whsec_… secrets; the first signs, all of them while rotating", secret=True, separator=","
    )
    webhook_headers: str = setting(
        "",
        "headers that receivers want: an origin, a blank, the header (https://n8n.example.com X-Auth: …), one a line; each "
        "goes to its origin alone", secret=True, separator=",",
    )  # fmt: skip
    webhook_allow: str = setting(
        "", "private hosts or networks callbacks may go to: host, host:port, network/prefix, network/prefix:port",
        separator=",",
    )  # fmt: skip
    webhook_scale: float = setting(1.0, "multiplies the callback schedule (tests)", least=0.0001, most=10)

    operations_webhook: str = setting(
        "", "where operators are told of trouble and of its end: a URL of Slack, n8n or yours; empty: nowhere",
        secret=True,
    )  # fmt: skip

    # Google Drive.
    gdrive_credentials: str = setting("", "path of the service account's JSON key")
    gdrive_subject: str = setting("", "user the service account acts for (domain-wide delegation)")
    gdrive_share_links: bool = setting(False, "make uploaded files readable by anyone with the link")
    gdrive_api_root: str = setting("", "base URL of the Drive API (local double); empty: Google's")
    gdrive_timeout: float = setting(30.0, "seconds one call to Drive may take", least=0.1, most=600)
    drive_writes: float = setting(5.0, "writes a second to Drive until its limit is known", least=0.1, most=1000)

    # The protocol's clocks (DESIGN §2). All are compared by the database's clock.
    lease: float = setting(20.0, "seconds without a heartbeat until a job is rescued", least=0.5)
    heartbeat: float = setting(5.0, "seconds between heartbeats", least=0.1)
    sweep: float = setting(2.0, "seconds between rescue sweeps", least=0.05)
    relay_poll: float = setting(
        0.5, "seconds between looks for due rows when nobody wakes the relay", least=0.01, most=3600
    )
    relay_hold: float = setting(10.0, "seconds a relay may hold rows it is publishing", least=0.5)
    relay_stuck: float = setting(30.0, "seconds after which a stuck publisher ends its process", least=1)
    lost_hint_after: float = setting(60.0, "seconds messages must be missing before they are sent again", least=0.2)
    promote_after: float = setting(600.0, "seconds after which low and normal jobs are promoted", least=0.1)
    retry_backoff: float = setting(5.0, "seconds before the first retry; doubles, with full jitter", least=0)
    retry_backoff_max: float = setting(300.0, "most seconds between two retries", least=0)
    switch_poll: float = setting(3.0, "seconds between reads of pauses and switches", least=0.05)
    probe_every: float = setting(5.0, "seconds between probes of a paused dependency", least=0.05)
    outage_window: float = setting(10.0, "seconds of errors from one job that count as an outage", least=0.1)
    host_probe_every: float = setting(30.0, "seconds between probes of a paused webhook host", least=0.05)
    delivery_deadline: float = setting(OWED_FOR, "seconds after which an owed callback is given up", least=1)

    # Workers and broker.
    queue_type: str = setting("classic", "RabbitMQ queue type", choices=("classic", "quorum"))
    broker_timeout: float = setting(10.0, "seconds one conversation with the broker may take", least=0.5, most=300)
    metrics_port: int = setting(9191, "port on which the relay shows the workers' metrics; 0: off", least=0, most=65535)
    metrics_host: str = setting("127.0.0.1", "address on which the relay shows these metrics")
    worker_memory: int = setting(0, "most MB of memory a render process may use; 0: no limit", least=0)
    uploads: int = setting(10, "uploads to Google Drive at the same time by one render worker", least=1, most=64)
    keep_rendered: int = setting(2000, "most rendered PDFs that wait for their upload", least=1)
    keep_rendered_mb: int = setting(512, "most MB of rendered PDFs that wait for their upload", least=8)

    # The canary (ops/canary.py).
    canary_every: float = setting(
        60.0, "seconds between canaries, reports that nobody asked for; 0: none", least=0, most=120
    )
    canary_api: str = setting("", "URL of the API the canary asks; empty: http://<host>:<port>")
    canary_key: str = setting("", "the canary's API key, role submit; empty: none needed", secret=True)
    canary_host: str = setting("127.0.0.1", "where the canary is called back; must be in REPORTQ_WEBHOOK_ALLOW")
    canary_port: int = setting(9192, "port where the canary is called back", least=1, most=65535)

    # Files, logs and traces.
    run_dir: str = setting("var/run", "sockets, locks, process ids, counters of metrics")
    templates_dir: str = setting("", "further folders with report templates, separated by ':'", separator=":")
    time_zone: str = setting("Asia/Jakarta", "zone whose days reports print, unless their template names another")
    log_level: str = setting("info", "least severe log event", choices=("debug", "info", "warning", "error"))
    log_format: str = setting("console", "json for machines, console for people", choices=("console", "json"))
    tracing: bool = setting(False, "send spans by OpenTelemetry; the variables OTEL_EXPORTER_OTLP_… say where to")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read and check every variable; raises SettingsError for the first that cannot be used."""
        given = values(cls, environ)
        settings = cls(**PROFILES[given.get("profile", "development")] | given)
        settings._check_together()
        return settings

    def _check_together(self) -> None:
        if self.heartbeat * 2 > self.lease:
            raise SettingsError(
                "REPORTQ_HEARTBEAT",
                f"{self.heartbeat:g} with a lease of {self.lease:g}",
                "at most half the lease",
            )
        if self.artifacts_url.startswith("gdrive:") and not self.gdrive_credentials:
            raise SettingsError("REPORTQ_GDRIVE_CREDENTIALS", "nothing", "the path of a service account's JSON key")
        if self.public_url and not _PUBLIC_URL.fullmatch(self.public_url):
            raise SettingsError(
                "REPORTQ_PUBLIC_URL",
                "a URL with a user in it" if "@" in self.public_url else repr(self.public_url),
                "http:// or https://, a host, a port, and a path whose odd characters are percent-encoded",
            )
        try:
            ZoneInfo(self.time_zone)
        except (ValueError, OSError, KeyError):
            allowed = "a time zone that this machine's tzdata knows, such as Asia/Makassar"
            raise SettingsError("REPORTQ_TIME_ZONE", repr(self.time_zone), allowed) from None
        for field in FILE_NAME_FIELD.findall(self.file_name):
            if field not in _FILE_NAME_FIELDS:
                raise SettingsError("REPORTQ_FILE_NAME", f"{{{field}}}", f"the fields {', '.join(_FILE_NAME_FIELDS)}")
        parse_api_keys(self.api_keys)
        parse_webhook_secrets(self.webhook_secrets)
        parse_password_keys(self.password_keys)

    @property
    def links_base(self) -> str:
        """The URL that links in answers and callbacks begin with, without a trailing slash."""
        return (self.public_url or server_urls.origin(self.host, self.port)).rstrip("/")

    @property
    def signing_secrets(self) -> list[str]:
        """What callbacks are signed with, the newest first; none: they are not signed."""
        return parse_webhook_secrets(self.webhook_secrets)

    @property
    def sealing_keys(self) -> list[str]:
        """What PDF passwords are sealed with, the newest first; none: no password is taken."""
        return parse_password_keys(self.password_keys)

    @property
    def loopback(self) -> bool:
        """Whether only programs of this machine can reach the API."""
        return self.host in ("127.0.0.1", "::1", "localhost")

    @property
    def public_is_loopback(self) -> bool:
        """Whether links lead to this machine alone; else a proxy stands in front, or will."""
        name = urlsplit(self.public_url or "http://localhost").hostname or ""
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return name == "localhost"

    @property
    def links_path(self) -> str:
        """The path that every link begins with, without a trailing slash: where a proxy shows reportq."""
        return urlsplit(self.public_url).path.rstrip("/")

    @property
    def waiters(self) -> int:
        """How many callers of one process may wait at the same time; by default half of its threads."""
        return self.api_waiters or max(1, self.api_threads // 2)

    @property
    def embedded(self) -> bool:
        """Whether the broker lives inside the one process that also serves the API."""
        return self.broker_url.startswith("memory:")

    def shown(self) -> dict[str, str]:
        """Name → value for people; secrets reduced to whether they are set, passwords in URLs removed."""
        rows = {}
        for spec in fields(self):
            value = getattr(self, spec.name)
            if spec.metadata["secret"] and spec.name.endswith("_url"):
                value = without_password(str(value))
            elif spec.metadata["secret"]:
                value = "(set)" if value else "(not set)"
            rows[PREFIX + spec.name.upper()] = str(value)
        return rows
