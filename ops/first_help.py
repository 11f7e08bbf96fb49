"""`--help` while packages are not installed: read from the sources, by Python's own library alone."""

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

_HERE = Path(__file__).parent


def commands() -> dict[str, tuple[str, str]]:
    """The table of ops/cli.py."""
    for node in ast.parse((_HERE / "cli.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMMANDS":
            found: dict[str, tuple[str, str]] = ast.literal_eval(node.value)
            return found
    raise LookupError("ops/cli.py has no COMMANDS")


def functions(command: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """What can be typed for a command, and what it runs."""
    module, part = commands()[command]
    for node in ast.parse((_HERE / "commands" / f"{module}.py").read_text()).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        named = [ast.unparse(one) for one in node.decorator_list if ast.unparse(one).startswith("app.command")]
        if part != "app" and node.name == part:
            yield command, node
        elif part == "app" and named:
            name = named[0].removeprefix("app.command(").rstrip(")").strip("'\"") or node.name.replace("_", "-")
            yield f"{command} {name}", node


def main(words: list[str]) -> None:
    """Every command with its first sentence; of one command everything that its source says."""
    wanted = [word for word in words if not word.startswith("-")]
    for command in [one for one in commands() if one in wanted[:1]] or commands():
        for name, function in functions(command):
            said = ast.get_docstring(function) or ""
            if len(wanted) < 2:
                print(f"ops/reportq {name:32} {said.splitlines()[0] if said else ''}")
            elif name.split()[1:] == wanted[1:2]:
                print(f"ops/reportq {name}\n\n{said}\n")
                for one in function.args.args:
                    print(f"  {one.arg:16} {ast.unparse(one.annotation) if one.annotation else ''}")
    print("\nThe packages are not installed yet; the first command installs them, and --help says more from then on.")


def of_module(module: str, *words: str) -> None:
    """`python -m ops.… --help` while packages are missing: what the module says of itself, and its options."""
    parts = module.split(".") if importlib.util.find_spec("structlog") is None else []
    if parts[:1] != ["ops"]:
        return
    if module == "ops.cli":
        main(list(words))
        sys.exit(0)
    named = [word for word in words if word.isidentifier()][:1] if module == "ops.bench" else []
    place = _HERE.joinpath(*parts[1:], *named)
    tree = ast.parse((place / "__main__.py" if place.is_dir() else place.with_suffix(".py")).read_text("utf-8"))
    print(ast.get_docstring(tree) or "", end="\n\n")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            said = {one.arg: ast.unparse(one.value).strip("'\"") for one in node.keywords}
            print(f"  {ast.unparse(node.args[0]).strip(chr(39)):16} {said.get('help', '')}")
    print(
        "\nThe packages are not installed yet: ops/test --setup installs all. Production's come with the first command "
        "that needs them."
    )
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
