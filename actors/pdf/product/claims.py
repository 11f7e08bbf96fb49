"""Unfounded claims of a template about scores: comparisons without reliability, claims without interval.

A worker draws such a template as ever and logs a warning; `templates check` refuses it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.pdf.product.measure import Scale, known, normed
from actors.pdf.product.source import Place

ORDERS = {"tertinggi", "terendah", "terkuat", "terlemah"}
READINGS = {"kategori", "tafsiran", "tingkat"}
DRAWN = {"scale", "meter"}
_CURE = "give the scale `mean`, `sd`, `reliability` and `norm`, or write `norm: unknown` to leave all that out"


@dataclass(frozen=True, slots=True)
class Use:
    """A filter, or a field of a block, that speaks of scores: at `path` of `file`, within the block or text `home`."""

    name: str
    scale: str | None
    key: str
    file: str
    path: Place
    home: Place


def used(name: str, args: Sequence[Any], named: Mapping[str, Any], file: str, path: Place) -> Use:
    """A filter with its arguments, as a use of the scale that it names."""
    home = path[:-1] if file == "template.yaml" else path
    if len(home) > 2 and home[-2] in ("columns", "details"):
        home = home[:-2]
    first = 2 if name in ORDERS else 0
    scale = named.get("skala", named.get("name", args[first] if len(args) > first else None))
    key = named.get("key", args[1] if len(args) > 1 and name in ORDERS else "skor")
    return Use(name, scale, key, file, path, home)


def unfounded(uses: Iterable[Use], scales: Mapping[str, Scale]) -> Iterator[tuple[Use, str]]:
    """Each use that lacks its ground, and what the author can do. A block's interval may stand in a block inside it."""
    found = list(uses)
    shown = {(use.file, use.home) for use in found if use.name in DRAWN or use.name == "rentang"}
    for use in found:
        scale = scales.get(use.scale or "")
        declared = scale is not None and (known(scale) or scale.norm == "unknown")
        if use.name in ORDERS and use.key == "skor" and use.scale is None:
            unknown = f"`{use.name}` compares scores without knowing how exactly they are measured"
            yield use, f"{unknown}: name their scale, as in `{use.name}(2, skala='…')`"
        elif use.name in ORDERS | {"terbedakan"} and use.scale is not None and not declared:
            yield use, f"`{use.name}` compares scores of {use.scale!r}, which has no reliability: {_CURE}"
        elif use.name in READINGS and not declared:
            yield use, f"`{use.name}` judges a score of {use.scale!r}, which has no interval: {_CURE}"
        elif use.name == "persentil" and not (scale and (normed(scale) or scale.norm == "unknown")):
            yield use, f"`persentil` places a score of {use.scale!r} in a norm group that it does not have: {_CURE}"
        elif use.name in READINGS and not any(
            file == use.file and home[: len(use.home)] == use.home for file, home in shown
        ):
            yield use, f"`{use.name}` judges a score without its interval: say `rentang({use.scale!r})` beside it"
        elif use.name in DRAWN and not declared and not (scale and scale.kind == "raw"):
            yield use, f"scores are drawn on {use.scale!r}, which has no interval: {_CURE}, or `kind: raw`"
