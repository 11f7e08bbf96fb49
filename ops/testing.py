"""`ops/test`: every check and test in stages, two of them side by side, each with its time.

ops/test                        everything that is not marked "on request"
ops/test quick                  lint, and of unit, protocol and contracts what is quick and needs no server; a minute
ops/test STAGE [STAGE ...]      only these
ops/test crashes --times 10     options behind a stage go to pytest
ops/test --setup                packages only (done before this module runs)
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from ops import debian13, image
from ops.servers import other_debian
from ops.servers.packages import PackagesMissing
from ops.servers.rabbitmq import version

ROOT = Path(__file__).resolve().parents[1]
KNOWN: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
console = Console(highlight=False, soft_wrap=True)
Result = tuple[str, bool, float]  # of a stage: its name, whether it passed, its seconds


def _run(*command: str, **environ: str) -> bool:
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environ}).returncode == 0


def _lint(_: list[str]) -> bool:
    """ruff, mypy --strict, and the direction of imports."""
    tools = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"])
    checks = [_run(sys.executable, "-m", *tool) for tool in tools]
    checks.append(_run(str(Path(sys.executable).with_name("lint-imports"))))
    return all(checks)


def _pytest(*arguments: str, **environ: str) -> bool:
    # A seed of its own would make hypothesis and random order differ between two runs of one commit.
    return _run(sys.executable, "-m", "pytest", "-q", *arguments, PYTHONHASHSEED="0", **environ)


def _suite(stage: str) -> Callable[[list[str]], bool]:
    def run(options: list[str]) -> bool:
        return _pytest(f"tests/{stage}", *options)

    run.__doc__ = f"tests/{stage}"
    return run


def _rabbitmq4(options: list[str]) -> bool:
    """What speaks with RabbitMQ once more, on version 4 of a newer Debian; only when it is named."""
    root = other_debian.install("rabbitmq")
    console.print(f"RabbitMQ {version(root)} in {root}")
    return _pytest(*KNOWN["rabbitmq4"], *options, TEST_RABBITMQ_ROOT=str(root))


def _mysql(options: list[str]) -> bool:
    """contracts, protocol, api and crashes once more on MySQL 9, from Debian's unstable release."""
    return _pytest(*KNOWN["mysql"], *options, TEST_MYSQL_ROOT=str(other_debian.install("mysql")))


def _debian13(options: list[str]) -> bool:
    """unit, contracts, protocol and `ops/run --once`, alone and with servers, on a Debian 13 in a folder."""
    return debian13.test(options)


def _drill(options: list[str]) -> bool:
    """Breaks one thing at a time; status, doctor, /readyz, the console and the alert tell it (`python -m ops.drill`)."""
    return _run(sys.executable, "-m", "ops.drill", *options)


def _image(_: list[str]) -> bool:
    """ops/Dockerfile is built by buildah, and every command of docker-compose.yml runs from the image."""
    return image.test()


def _quick(options: list[str]) -> bool:
    """lint, and of unit, protocol and contracts what is quick and needs no server; both processors, a minute."""
    left_out = [f"--deselect={test}" for test in KNOWN["slow"]]

    def tests(part: Sequence[str]) -> bool:
        command = [sys.executable, "-m", "pytest", "-q", *part, "--without-servers", *left_out, *options]
        environ = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        _print_whole(done.stdout)
        # Options (`-k refund`) may choose tests that are all in another part.
        return done.returncode == 0 or (bool(options) and done.returncode == NONE_CHOSEN)

    with ThreadPoolExecutor(2) as lanes:
        lint, *parts = lanes.submit(_lint, []), *(lanes.submit(tests, part) for part in _quick_parts())
        return all([lint.result(), *(part.result() for part in parts)])


def _quick_parts() -> list[list[str]]:
    """What each process of `ops/test quick` tests. The files that draw are dealt out by turns: they are most of the work."""
    drawing = sorted(str(file.relative_to(ROOT)) for file in (ROOT / "tests" / "unit" / "pdf").glob("test_*.py"))
    rest = ["tests/unit", "--ignore=tests/unit/pdf", "tests/contracts", "tests/protocol"]
    return [drawing[::2], rest, drawing[1::2]]


STAGES: dict[str, Callable[[list[str]], bool]] = {
    "lint": _lint,
    **{
        stage: _suite(stage)
        for stage in (
            "unit", "protocol", "contracts", "integration", "api", "e2e", "crashes", "observability", "browser", "chaos",
            "cluster", "n8n", "soak", "verapdf",
        )
        if (ROOT / "tests" / stage).is_dir()
    },
    "rabbitmq4": _rabbitmq4,
    "mysql": _mysql,
    "debian13": _debian13,
    "image": _image,
    "drill": _drill,
    "quick": _quick,
}  # fmt: skip

NONE_CHOSEN = 5  # pytest's exit code
_printing = threading.Lock()


def main(argv: list[str]) -> int:
    """Run the named stages, or all; the exit code is 0 only when each passed."""
    if argv == ["--setup"]:
        return 0
    if argv and argv[0] in ("-h", "--help"):
        console.print((__doc__ or "").strip() + "\n\nStages:")
        for name, run in STAGES.items():
            asked = f" (on request: {KNOWN['on_request'][name]})" if name in KNOWN["on_request"] else ""
            console.print(f"  {name:14} {(run.__doc__ or '').splitlines()[0]}{asked}")
        return 0
    wanted = [word for word in argv if word in STAGES]
    options = [word for word in argv if word not in STAGES]
    if options and not wanted:
        console.print(f"There is no stage {options[0]!r}; the stages are {', '.join(STAGES)}.")
        return 2
    began = time.monotonic()
    results = [_stage(name, options, shown=True) for name in wanted] if wanted else _everything(options)
    if len(wanted) != 1:
        _summary(results, time.monotonic() - began)
    return 0 if all(passed for _, passed, _ in results) else 1


def _everything(options: list[str]) -> list[Result]:
    """Every stage that is not on request. Two lanes take them side by side; each stage starts its own servers."""
    installing = subprocess.Popen([sys.executable, "-m", "tests.n8n.install"], cwd=ROOT)
    # lint first: most mistakes show there. Then the longest; one that nobody has measured counts as long.
    waiting = [name for name in STAGES if name not in KNOWN["on_request"]]
    waiting.sort(key=lambda name: (name != "lint", -KNOWN["seconds"].get(name, 600)))
    # n8n takes minutes to install the first time: two long stages run meanwhile.
    waiting.remove("n8n")
    waiting.insert(3, "n8n")

    def run(name: str) -> Result:
        if name == "n8n":
            installing.wait()
        return _stage(name, options, shown=False)

    with ThreadPoolExecutor(2) as lanes:
        return list(lanes.map(run, waiting))


def _stage(name: str, options: list[str], *, shown: bool) -> Result:
    """Run one stage in a process of its own; a lane's output is printed whole when the stage has ended."""
    began = time.monotonic()
    if shown:
        console.rule(f"[bold]{name}")
        try:
            passed = STAGES[name](options)
        except PackagesMissing as missing:
            console.print(str(missing))
            passed = False
        output = b""
    else:
        console.print(f"{name}: started")
        command = [sys.executable, "-m", "ops.testing", name, *options]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        passed, output = done.returncode == 0, done.stdout
    seconds = time.monotonic() - began
    _print_whole(output)
    if shown:
        with _printing:
            console.print(f"{name}: {'passed' if passed else '[red]FAILED[/]'} in {seconds:.0f} s")
    return name, passed, seconds


def _print_whole(output: bytes) -> None:
    with _printing:
        sys.stdout.write(output.decode(errors="replace"))
        sys.stdout.flush()


def _summary(results: list[Result], took: float) -> None:
    table = Table("stage", "result", "seconds")
    for name, passed, seconds in results:
        table.add_row(name, "passed" if passed else "[red]FAILED", f"{seconds:.0f}")
    table.add_row("all", "", f"{took:.0f}")
    console.print(table)
    good = sum(passed for _, passed, _ in results)
    print(f"stages: {good} passed, {len(results) - good} failed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
