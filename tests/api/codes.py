"""Every stable code that the source can give an error, read from the source itself."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from actors.artifacts.drive_errors import Refusal
from ops.stack import ROOT
from schema.callbacks.verdicts import TABLE
from schema.metrics import labels

PACKAGES = ("schema", "middleware", "actors", "service", "ops")
NOT_SHIPPED = ("ops/bench", "ops/chaos", "ops/trial_renderer.py")  # their errors are their own

BURYING = ("Failure", "_stop", "bury")  # given a code by position
CODE = re.compile("[a-z]+(_[a-z]+)+")


def sources() -> Iterator[ast.Module]:
    """The modules of the product."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not path.relative_to(ROOT).as_posix().startswith(NOT_SHIPPED):
                yield ast.parse(Path(path).read_text())


@functools.cache
def raised() -> frozenset[str]:
    """The codes of error classes, and those given to one where it is made."""
    trees = list(sources())
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    errors = {"ReportqError"}
    while True:
        more = {one.name for one in classes if any(_name(base) in errors for base in one.bases)} - errors
        if not more:
            break
        errors |= more
    codes = set()
    for one in classes:
        if one.name in errors:
            codes |= {text for line in one.body if _assigns_code(line) for text in _texts(line)}
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in calls:
        name = _name(call.func)
        if name in errors:
            given = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
            codes |= {text for value in given for text in _texts(value)}
        elif name in BURYING:
            codes |= {text for value in call.args for text in _texts(value) if CODE.fullmatch(text)}
        if name == "DependencyDown" and isinstance(call.args[0], ast.Constant):
            codes.add(f"{call.args[0].value}_unavailable")
    return frozenset(codes)


def everything() -> frozenset[str]:
    """Those, and what tables hold: verdicts on callbacks, refusals of Google Drive, what metrics announce."""
    verdicts = {rule.code for rule in TABLE if rule.code}
    return raised() | verdicts | {one.code for one in Refusal} | {*labels.JOB_CODES}


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _assigns_code(line: ast.stmt) -> bool:
    return isinstance(line, ast.Assign) and [_name(target) for target in line.targets] == ["code"]


def _texts(node: ast.AST) -> set[str]:
    """The words that an expression may stand for; names of a row's columns are none."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    if isinstance(node, ast.Subscript):
        return set()
    return {text for child in ast.iter_child_nodes(node) for text in _texts(child)}
