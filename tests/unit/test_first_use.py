"""What a process makes at its first use is made once and whole, however many threads ask for it at the same moment."""

from __future__ import annotations

import subprocess
import sys

import dramatiq
from dramatiq.brokers.stub import StubBroker

from middleware.hooks.lifecycle import Attempts, Lifecycle
from schema.rows.messages import QUEUES

DRAWING = (2, 4, 8)  # threads that draw at once
EACH = 2  # processes with each number of them; the soak has more
# Everything is imported before the threads begin, as in the embedded default, and nothing of it has been used. Forks of
# an interpreter that stands there are as fresh as new ones, without the second that each of those would import for.
TOGETHER = """
import hashlib, json, os, sys, threading
from datetime import UTC, datetime
from actors.pdf.fonts.families import families
from actors.pdf.renderer import TEMPLATES, PdfRenderer
from schema.callbacks.allow_list import AllowList
from schema.http import queries, requests
from schema.ports import RenderRequest
from schema.rows import deliveries

COUNTS, PROCESSES, DECODING = [int(count) for count in sys.argv[1].split(",")], int(sys.argv[2]), 16
sys.setswitchinterval(1e-6)
now, allow, renderer = datetime(2026, 11, 23, tzinfo=UTC), AllowList.parse(""), PdfRenderer()
report = json.loads((TEMPLATES / "profilKognitif" / "sample.json").read_text("utf-8"))
report |= {"butir": [], "peserta": report["peserta"] | {"nama": "Ayu محمد अनुष्का"}}
record = {
    "job_id": "j", "code": "c", "product_id": "p", "round": 1, "status": "completed",
    "requested_at": "2026-11-23T00:00:00Z",
}
decoders = (
    lambda: requests.read(b'{"jobs":[{"code":"c","productId":"p","data":{}}]}', requests.Batch, allow),
    lambda: requests.read(b'{"filter":{"queue":"pdf"}}', requests.LettersAct),
    lambda: queries.read_query({"view": "groups", "since": "1d"}, queries.LettersQuery),
    lambda: queries.list_query({"status": "queued", "limit": "5"}),
    lambda: deliveries.end_of({"record": json.dumps(record), "owed_at": now}),
)
drawn, decoded, used = [], [], set()

def draw(line):
    line.wait()
    template, faces = renderer.template("profilKognitif"), families()
    used.add((id(template), id(faces), *(id(fallback.face) for fallback in faces["body"].fallbacks)))
    made = renderer.render(RenderRequest("profilKognitif", report, "pdf_1", now))
    drawn.append(hashlib.sha256(made).hexdigest())

def decode(line, place):
    line.wait()
    for step in range(len(decoders)):
        decoded.append(decoders[(place + step) % len(decoders)]())

def together(drawing):
    line = threading.Barrier(drawing + DECODING)
    threads = [threading.Thread(target=draw, args=(line,)) for _ in range(drawing)]
    threads += [threading.Thread(target=decode, args=(line, place)) for place in range(DECODING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(used) == 1, "templates or fonts were read more than once"
    assert len(drawn) == drawing and len(decoded) == DECODING * len(decoders)
    os.write(1, " ".join(sorted(set(drawn))).encode() + b"\\n")

for drawing in COUNTS * PROCESSES:
    child = os.fork()
    if not child:
        try:
            together(drawing)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended == 0, f"a process ended with {ended}"
"""
# Of all modules of the product: the structs that are not ready, and what else msgspec is asked to decode and is not.
UNREADY = """
import ast, gc, importlib, inspect, pkgutil, sys
import msgspec

ACT_ON_IMPORT = {"actors.worker", "service.wsgi"}
modules = []
for package in ("schema", "middleware", "actors", "service"):
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if found.name not in ACT_ON_IMPORT:
            modules.append(importlib.import_module(found.name))

def below(kind):
    for inner in kind.__subclasses__():
        yield inner
        yield from below(inner)

def ready(kind):
    plans = [type(held).__name__ for held in gc.get_referents(kind)]
    return "StructInfo" in plans or "__msgspec_cache__" in vars(kind)

asked = {kind for kind in below(msgspec.Struct) if kind.__module__.split(".")[0] in sys.argv[1:]}
for module in modules:
    for call in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith(("msgspec.convert", "msgspec.json.")):
            for given in (*call.args[1:], *(word.value for word in call.keywords if word.arg == "type")):
                kind = vars(module).get(ast.unparse(given))
                if isinstance(kind, type) and kind.__module__ != "builtins":
                    asked.add(kind)
assert len(asked) > 60, asked
print(*sorted(f"{kind.__module__}.{kind.__qualname__}" for kind in asked if not ready(kind)))
"""


def run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter with this program."""
    return subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=900, check=False
    )


def test_no_fresh_process_dies_when_its_threads_draw_and_decode_for_the_first_time_at_once() -> None:
    no_fresh_process_dies(EACH)


def no_fresh_process_dies(each: int) -> None:
    """So many processes for each number of drawing threads, one after the other."""
    done = run(TOGETHER, ",".join(map(str, DRAWING)), str(each))
    assert (done.returncode, done.stderr[-500:]) == (0, "")
    drawn = done.stdout.splitlines()
    assert len(drawn) == each * len(DRAWING)
    assert len(set(drawn)) == 1, "the same report came out differently"
    assert " " not in drawn[0], "threads of one process drew the same report differently"


def test_every_struct_is_ready_before_a_thread_can_meet_it() -> None:
    """Whoever adds one and forgets `prepare(__name__)` at the end of its module is told here."""
    done = run(UNREADY, "schema", "middleware", "actors", "service")
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_a_worker_of_all_queues_makes_its_parts_before_its_threads_begin() -> None:
    warmed: list[frozenset[str]] = []
    broker = StubBroker(middleware=[Lifecycle(Attempts(), warmed.append)])
    worker = dramatiq.Worker(broker, worker_threads=1)
    worker.start()
    worker.stop()
    assert warmed == [frozenset(QUEUES)]
