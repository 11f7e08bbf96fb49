"""Google's `fields` parameter: only what was asked for is answered, so that nobody relies on more."""

from __future__ import annotations

from typing import Any

Selection = dict[str, "Selection"]


def partial(content: dict[str, Any], fields: str) -> dict[str, Any]:
    """The content cut to `fields` (`id,labels/trashed,items(id,title)`); all of it without any."""
    if not fields or fields == "*":
        return content
    chosen, _ = _parse(fields, 0)
    cut: dict[str, Any] = _cut(content, chosen)
    return cut


def _parse(text: str, at: int) -> tuple[Selection, int]:
    chosen: Selection = {}
    path = ""
    while at <= len(text):
        sign = text[at] if at < len(text) else ")"
        at += 1
        if sign not in "(),":
            path += sign
            continue
        inner: Selection = {}
        if sign == "(":
            inner, at = _parse(text, at)
        if path:
            *above, last = [name.strip() for name in path.split("/")]
            place = chosen
            for name in above:
                place = place.setdefault(name, {})
            place.setdefault(last, {}).update(inner)
        path = ""
        if sign == ")":
            break
    return chosen, at


def _cut(content: Any, chosen: Selection) -> Any:
    if not chosen or "*" in chosen:
        return content
    if isinstance(content, list):
        return [_cut(entry, chosen) for entry in content]
    if isinstance(content, dict):
        return {key: _cut(value, chosen[key]) for key, value in content.items() if key in chosen}
    return content
