"""`python -m ops.bench NAME [options]` runs the module of that name beside this one; `NAME --help` says what it measures."""

import importlib
import sys
from pathlib import Path


def names() -> list[str]:
    """The benches: every module here with a `main`."""
    modules = Path(__file__).parent.glob("[!_]*.py")
    return sorted(path.stem for path in modules if "\ndef main(" in path.read_text("utf-8"))


def run(argv: list[str]) -> int:
    """Hand the rest of the arguments to the bench; 2 when there is none of that name."""
    known = names()
    if argv[:1] in (["-h"], ["--help"]):
        print(f"{__doc__}\n\nNames: {', '.join(known)}")
        return 0
    if not argv or argv[0] not in known:
        print(f"usage: python -m ops.bench {{{','.join(known)}}} [options]", file=sys.stderr)
        return 2
    return int(importlib.import_module(f"ops.bench.{argv[0]}").main(argv[1:]) or 0)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
