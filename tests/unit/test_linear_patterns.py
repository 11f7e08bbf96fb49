"""What strangers send costs linear time: every pattern of the product, and what is made of several, on hostile text."""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.deliver.answer_bodies import head
from actors.pdf.product.values import escaped
from schema.callbacks.redaction import hide, hide_asked, hide_resume_urls
from schema.callbacks.urls import redact
from schema.rows.letters import cause

ROOT = Path(__file__).parents[2]
PACKAGES = ("schema", "middleware", "actors", "service")
METHODS = {"match", "fullmatch", "search", "findall", "split", "sub"}
SIZE = 300  # characters; the longer text has eight times as many
STARTS = [
    "", "- ", "\n ", " at ", " at x(", ' File "', "“", "<!--", "<script", "</script", "<style>", "http://", "https://a:b", "ab://x:",
    "signature", "signature:", "signature=", "signature :[", "webhook-waiting/", "webhook-waiting/…/", "whsec_", "n8n is ",
]  # fmt: skip
PIECES = [
    *" \n\t\\\"'/:=.,;&#?%()[]{}<>*-–@+$”…aZ0_", "\r\n", "0a", "a.", "a/", "a\\", ":1", "x:1:", " -", "&#x0", *STARTS[1:],
]  # fmt: skip
#: Made while the program runs, from what is no stranger's.
MADE = {
    "schema/callbacks/answers.py": "the patterns of its table, which stand as texts in the calls of _says",
    "schema/rows/person.py": "an operator's code, escaped",
    "actors/pdf/fonts/families.py": "one class of characters",
}


Pattern = re.Pattern[str] | re.Pattern[bytes]


def patterns() -> Iterator[tuple[str, tuple[Pattern, set[str]]]]:
    """Every pattern that the product's modules compile or use: its place, and by which methods it is used there."""
    for path in sorted(path for package in PACKAGES for path in ROOT.glob(f"{package}/**/*.py")):
        place = str(path.relative_to(ROOT))
        source = path.read_text()
        tree = ast.parse(source)
        names = {
            id(node.value): node.targets[0].id
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            called = ast.unparse(call.func)
            line = f"{place}:{call.lineno}"
            if called == "re.compile" and id(call) in names:
                name = names[id(call)]
                used = set(re.findall(rf"\b{name}\.(\w+)\(", source)) & {*METHODS, "finditer"}
                module = importlib.import_module(place[:-3].replace("/", "."))
                yield f"{place} {name}", (getattr(module, name), used or METHODS)
            elif called.startswith("re.") and called != "re.escape":
                if not isinstance(call.args[0], ast.Constant):
                    assert place in MADE, f"{line}: say in MADE what this pattern is made of"
                    continue
                yield line, (re.compile(call.args[0].value), {called.removeprefix("re.")})
            elif called in ("_says", "_says_in_json") and isinstance(call.args[1], ast.Constant):
                yield line, (re.compile(call.args[1].value, re.I), {"search"})
            for keyword in call.keywords:
                if keyword.arg == "pattern" and isinstance(keyword.value, ast.Constant):
                    yield line, (re.compile(keyword.value.value), {"search"})


def seconds(work: Callable[[str], object], text: str) -> float:
    began = time.thread_time()
    work(text)
    return time.thread_time() - began


def worse_than_linear(work: Callable[[str], object]) -> list[str]:
    """The texts, of one piece repeated after a start, where eight times the length takes far more than eight times as long."""
    found = []
    for start in STARTS:
        for piece in PIECES:
            times = SIZE // len(piece)
            short, long = (f"{start}{piece * count}\0" for count in (times, times * 8))
            if seconds(work, long) < 0.004:
                continue
            best = [min(seconds(work, text) for _ in range(5)) for text in (short, long)]
            if best[1] > max(24 * best[0], 0.004):
                found.append(f"{start!r} + {piece!r}: {best[1] / best[0]:.0f} times as long")
    return found


ALL = dict(patterns())


@pytest.mark.parametrize("place", ALL)
def test_a_pattern_takes_time_in_proportion_to_its_text(place: str) -> None:
    pattern, methods = ALL[place]

    def work(text: str) -> None:
        subject: Any = text.encode() if isinstance(pattern.pattern, bytes) else text
        for method in methods:
            if method == "finditer":
                pattern.findall(subject)
            elif method == "sub":
                pattern.sub(subject[:0], subject)
            else:
                getattr(pattern, method)(subject)

    assert worse_than_linear(work) == []


ASKED = "https://h.example/" + "/".join(f"aaaaa{n}/" + "a" * 20 for n in range(40)) + "?signature=" + "a0" * 200
TEXTS: dict[str, Callable[[str], object]] = {
    "an answer": lambda text: head(text.encode(), ASKED),
    "an answer that names its own": lambda text: hide_asked(text, ASKED),
    "capabilities": hide_resume_urls,
    "a line of the log": hide,
    "a url": redact,
    "an error": lambda text: cause("pdf", "code", text),
    "a value of a report": escaped,
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_done_to_a_strangers_text_takes_time_in_proportion_to_it(name: str) -> None:
    assert worse_than_linear(TEXTS[name]) == []


def test_an_answer_of_spaces_after_a_signature_is_cleaned_at_once() -> None:
    """The answer that once held a process for a minute."""
    for colon in (b"signature:", b"signature : [", b'"signature":\\"'):
        short, long = (colon + b" " * size for size in (8_000, 64_000))
        best = [min(seconds(lambda _, body=body: head(body), "") for _ in range(3)) for body in (short, long)]
        assert best[1] < 24 * best[0] + 0.01
