"""`ops/run`: one sample report travels the whole way, and every step is shown.

    python -m ops.demo [--once] [--port N] [--servers]

Without --servers: the embedded default, one gunicorn process with everything inside, files under var/, or where
REPORTQ_RUN_DIR and the other settings say. With it: private RabbitMQ, MariaDB, a MongoDB-wire server and a local double
of Google Drive, and the processes of production under supervisor. Option `--once` ends after the first report: 0 only
if its PDF and its callback arrived. A start that cannot work is refused at once, in one sentence.
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from ops.claims import Refused, claim_port, claimed
from ops.sample_report import CODE, PRODUCT, SAMPLE, console, invite, key_of, show_one_job, stay
from ops.servers.kinds import HttpServer
from ops.servers.process import ServerFailed, listening, listens
from ops.servers.receiver import Receiver
from schema.documents import open_documents
from schema.errors import ReportqError
from schema.settings import Settings, SettingsError
from schema.sql.database import Database
from schema.sql.migrate import migrate

ROOT = Path(__file__).resolve().parents[1]


class Api(HttpServer):
    """The embedded default: gunicorn with the in-process broker and its workers."""

    name = "api"
    ready = "/livez"

    def __init__(self, folder: Path, port: int, environ: dict[str, str]) -> None:
        super().__init__(folder)
        self.port = port
        self.runs_in = ROOT  # where the configuration's relative paths begin
        self._environ = environ

    def command(self) -> list[str]:
        configured = ["-c", "ops/gunicorn.conf.py", "--chdir", str(ROOT)]
        return [sys.executable, "-m", "gunicorn", *configured, "service.wsgi:app"]

    def environment(self) -> dict[str, str]:
        return {**self._environ, "PYTHONPATH": str(ROOT)}

    def stop(self, timeout: float = 60) -> None:
        """What is being made, stored or posted has its time."""
        super().stop(timeout)

    def answers(self) -> bool:
        """It is ours that answers, not another reportq on the port."""
        return super().answers() and listens(self.processes(), self.port)


def main(argv: list[str]) -> int:
    """Run the demonstration; the exit code says whether PDF and callback arrived."""
    parser = argparse.ArgumentParser(prog="ops/run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--once", action="store_true", help="end after the first report")
    parser.add_argument("--port", help="of the API (REPORTQ_PORT, or 8000)")
    parser.add_argument("--servers", action="store_true", help="on private servers instead of the embedded default")
    options = parser.parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: in order
        signal.signal(number, signal.default_int_handler)
    chosen = {"REPORTQ_PORT": options.port} if options.port else {}
    try:
        settings = Settings.from_env({**os.environ, **chosen})
        if options.servers:
            from ops.demo_servers import demonstrate  # late: without brokers' clients the default starts sooner

            return demonstrate(settings, os.environ, once=options.once)
        return _embedded(settings, once=options.once)
    except SettingsError as error:
        print(f"A setting cannot be used: {error}", file=sys.stderr)
    except ServerFailed as error:
        print(f"It did not start: {error}", file=sys.stderr)
    except (Refused, ReportqError) as error:
        print(error.detail if isinstance(error, ReportqError) else error, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _embedded(settings: Settings, *, once: bool) -> int:
    if not settings.embedded:
        raise Refused(
            "ops/run is the embedded default, but REPORTQ_BROKER_URL names a RabbitMQ: run it in a shell without the "
            "service's environment, or production's processes with ops/processes run."
        )
    home = _home(settings)
    run_dir = ROOT / settings.run_dir
    refusal = (
        f"Another reportq runs in {home}: stop it, or give this one folders and a port of its own: "
        "REPORTQ_RUN_DIR=var/second REPORTQ_DATABASE_URL=sqlite:///var/second/reportq.db "
        "REPORTQ_ARTIFACTS_URL=file:var/second/artifacts ops/run --port 8001"
    )
    with claimed(home / "ops-run.lock", refusal):
        with claimed(run_dir / "embedded.lock", refusal):
            pass  # ours takes it in a moment; one that was started without ops/run would have it
        claim_port(settings.host, settings.port)
        return _demonstrate(settings, home, once=once)


def _demonstrate(settings: Settings, home: Path, *, once: bool) -> int:
    receiver = _receiver(home / "receiver")
    allow = ",".join(filter(None, [settings.webhook_allow, f"127.0.0.1:{receiver.port}"]))
    api = Api(home / "api", settings.port, {"REPORTQ_PORT": str(settings.port), "REPORTQ_WEBHOOK_ALLOW": allow})
    # Side by side: the API is what somebody waits for. Both make the tables, whoever comes first.
    api.launch()
    receiver.launch()
    with receiver, api:
        _save_sample(settings)
        api.wait_ready()
        receiver.wait_ready()
        console.print(f"[bold]reportq[/] answers at [link]{api.url}[/] (embedded: one process, {_files(settings)})")
        ok = show_one_job(api.url, receiver, _shown(home / "sample.pdf"), key_of(settings))
        if once:
            return 0 if ok else 1
        invite(api.url, receiver)
        return 0 if stay(api) else 1


def _home(settings: Settings) -> Path:
    """Where this demonstration keeps its own files: var/, or the run folder that was chosen."""
    return ROOT / "var" if settings.run_dir == Settings().run_dir else ROOT / settings.run_dir


def _files(settings: Settings) -> str:
    """Where the files are, in few words when all is as it comes."""
    names = ("REPORTQ_DATABASE_URL", "REPORTQ_ARTIFACTS_URL", "REPORTQ_RUN_DIR")
    shown, usual = settings.shown(), Settings().shown()
    if all(shown[name] == usual[name] for name in names):
        return "files under var/"
    return "database {}, PDFs {}, other files {}".format(*(shown[name] for name in names))


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _receiver(folder: Path) -> Receiver:
    """The receiver on the port it had before, so that callbacks still owed find it; on another one if that is taken."""
    receiver = Receiver(folder)
    if not listening(receiver.port):
        return receiver
    (folder / "receiver.json").unlink()
    return Receiver(folder)


def _save_sample(settings: Settings) -> None:
    database = Database(settings.database_url)
    migrate(database)
    documents = open_documents(settings.documents_url, database)
    documents.save_report(CODE, PRODUCT, json.loads(SAMPLE.read_text()))
    documents.close()
    database.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
