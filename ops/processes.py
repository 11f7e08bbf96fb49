"""Production's processes on this host, under supervisor.

ops/processes run                              all of them in the foreground: what systemd starts
ops/processes status                           what runs, and since when
ops/processes start|stop|restart NAME ...      one that runs already is left alone by start
ops/processes logs [-n LINES] [-f] NAME ...    what they wrote; also while nothing runs

NAME: api, relay, render (all render processes), render-0 ..., webhook, canary, or all. The shell needs the environment of
the service: ops/runbooks/README.md.
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ops.claims import Refused
from schema.host import run_folder
from schema.settings import Settings, SettingsError

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent  # of the virtual environment
CONFIGURATION = str(ROOT / "ops" / "supervisord.conf")
PROGRAMS = ("relay", "render", "webhook", "api", "canary")
LOADED = "Does this shell have the environment of the service (ops/runbooks/README.md)?"


def parser() -> argparse.ArgumentParser:
    """What may be asked for."""
    top = argparse.ArgumentParser(
        prog="ops/processes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="run|status|start|stop|restart|logs")
    commands.add_parser("run")
    commands.add_parser("status")
    for name in ("start", "stop", "restart", "logs"):
        command = commands.add_parser(name)
        command.add_argument("names", nargs="+", type=program, metavar="NAME")
        if name == "logs":
            command.add_argument("-n", "--lines", type=int, help="only the last ones (all)")
            command.add_argument("-f", "--follow", action="store_true", help="and what is written from now on")
    return top


def program(name: str) -> str:
    """A name that can be asked for."""
    if name in (*PROGRAMS, "all") or re.fullmatch(r"render-\d+", name):
        return name
    raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {', '.join(PROGRAMS)}, render-0 ..., all")


def prepared(environ: Mapping[str, str]) -> tuple[dict[str, str], Path]:
    """The environment with what supervisor must find in it, since it knows none of our defaults; and the run folder."""
    settings = Settings.from_env(environ)
    run_dir = ROOT / settings.run_dir
    needed = {
        "PATH": os.pathsep.join([str(BIN), environ.get("PATH", os.defpath)]),
        "REPORTQ_RUN_DIR": str(run_dir),
        "REPORTQ_CONCURRENT_WORKERS": str(settings.concurrent_workers),
        "REPORTQ_WEBHOOK_THREADS": str(settings.webhook_threads),
    }
    return {**environ, **needed}, run_dir


def main(argv: list[str]) -> int:
    """Run one command; what can be expected to go wrong is one sentence."""
    asked = parser().parse_args(argv)
    try:
        environ, run_dir = prepared(os.environ)
        if asked.command == "run":
            return _run(environ, run_dir)
        if asked.command == "logs":
            return _logs(run_dir, asked.names, asked.lines, follow=asked.follow)
        return _control(environ, run_dir, asked.command, getattr(asked, "names", []))
    except SettingsError as error:
        print(f"A setting cannot be used: {error}", file=sys.stderr)
    except Refused as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _run(environ: dict[str, str], run_dir: Path) -> int:
    """Become supervisor, so that whoever started us has its process id."""
    if Settings.from_env(environ).embedded:
        raise Refused(f"REPORTQ_BROKER_URL names no RabbitMQ, which processes of their own need. {LOADED}")
    try:
        run_folder.prove(run_dir)
    except OSError as error:
        said = run_folder.sentence(run_dir, error)
        if not run_dir.is_dir():
            raise Refused(said) from None
        print(said, file=sys.stderr)  # what can be done without it is done
    os.chdir(ROOT)
    supervisord = str(BIN / "supervisord")
    os.execve(supervisord, [supervisord, "-c", CONFIGURATION], environ)  # noqa: S606 - no shell is the point


def _control(environ: dict[str, str], run_dir: Path, command: str, names: list[str]) -> int:
    socket = run_dir / "supervisor.sock"
    if not socket.exists():
        raise Refused(
            f"No supervisor runs in {run_dir}. {LOADED} If it does, start everything with ops/processes run, or however "
            "this host does that."
        )
    control = [str(BIN / "supervisorctl"), "-c", CONFIGURATION, command, *map(full_name, names)]
    done = subprocess.run(control, env=environ, stdout=subprocess.PIPE, text=True)
    print(done.stdout.replace("ERROR (already started)", "left alone, was started before"), end="")
    return done.returncode


def full_name(name: str) -> str:
    """Supervisor's name: render processes are a group."""
    if name == "render":
        return "render:*"
    return f"render:{name}" if name.startswith("render-") else name


def _logs(run_dir: Path, names: list[str], lines: int | None, *, follow: bool) -> int:
    wanted = PROGRAMS if "all" in names else names
    logs = [f"{name}-*.log" if name == "render" else f"{name}.log" for name in wanted]
    files = [str(file) for log in logs for file in sorted(run_dir.glob(log))]
    if not files:
        raise Refused(f"{run_dir} holds no log of {', '.join(names)}. {LOADED}")
    tail = ["tail", "-q", "-n", "+1" if lines is None else str(lines), *(["-F"] if follow else []), *files]
    return subprocess.run(tail).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
