"""`reportq queues`: how they stand, pause, drain, resume."""

import time
from typing import Annotated, Any

import typer

from ops.commands.options import Json, Why
from ops.commands.terminal import REMAINS, age, desk, out, print_table, told
from schema.http.state_responses import QueueState
from schema.life import queues
from service.routes.queues import queue_states

app = typer.Typer(help="The queues `pdf` and `webhooks`.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="pdf or webhooks")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Depth, oldest age, consumers, pauses."""
    with desk() as here:
        shown = queue_states(here.db, here.settings)
    told(as_json, shown, lambda: print_queues(shown.queues))


@app.command()
def pause(name: Name, why: Why = None, as_json: Json = False) -> None:
    """Start nothing more from a queue; what runs is finished, jobs are still accepted."""
    with desk() as here:
        queues.pause(here.db, name, by=here.by, why=why)
        _say(here, name, as_json, f"{name} is paused; ops/reportq queues resume {name} lifts it.")


@app.command()
def resume(name: Name, why: Why = None, as_json: Json = False) -> None:
    """Let a queue go on."""
    with desk() as here:
        was = queues.resume(here.db, name, by=here.by, why=why)
        here.wake()
        _say(here, name, as_json, f"{name} goes on." if was else f"{name} was not paused.")


@app.command()
def drain(
    name: Name,
    timeout: Annotated[float, typer.Option(help="Seconds to wait until nothing is worked on.")] = 600.0,
    why: Why = None,
    as_json: Json = False,
) -> None:
    """Pause a queue and wait until what runs has ended; exit code 3 when it has not."""
    with desk() as here:
        queues.pause(here.db, name, by=here.by, why=why or "Drained by an operator.")
        # A worker that looked at the pauses just before may still start one.
        settled = time.monotonic() + here.settings.switch_poll
        until = time.monotonic() + timeout
        while (left := queues.processing(here.db, name)) or time.monotonic() < settled:
            if time.monotonic() > until:
                break
            time.sleep(0.1)
        _say(here, name, as_json, f"{name} is paused, {left} still being worked on." if left else f"{name} is drained.")
    if left:
        raise typer.Exit(REMAINS)


def print_queues(shown: list[QueueState]) -> None:
    """A line for each queue, and for each reason that keeps it from starting more."""
    print_table(
        ("queue", "state", "waiting", "due", "oldest", "processing", "threads", "dead letters"),
        [
            (q.name, q.state, q.depth, q.due, age(q.oldest_age), q.processing, q.consumers, q.dead_letters)
            for q in shown
        ],
    )  # fmt: skip
    for queue in shown:
        for held in filter(None, [queue.paused, *queue.outages]):
            out.print(f"  {held.scope} is paused by {held.by} since {held.since}: {held.reason}", markup=False)


def _say(here: Any, name: str, as_json: bool, sentence: str) -> None:
    states = queue_states(here.db, here.settings).queues if as_json else []
    told(as_json, next((queue for queue in states if queue.name == name), None), sentence)
