"""Reports made up from a product's JSON Schema: every field takes every value the schema lets in, null included."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from actors.pdf.product.templates import Templates

WORDS = ("Ayu", "Lestari", "Budi", "Nasution", "Yogyakarta", "Sarjana", "Saya senang bertemu orang")


def schema_of(product: str) -> dict[str, Any]:
    """A shipped product's schema."""
    return dict(Templates().template(product).schema)


def generated(schema: dict[str, Any], chance: random.Random, missing: float) -> Any:
    """A value that fits; `missing` is the share of nulls and empty texts where they are allowed."""
    if "enum" in schema:
        return chance.choice(schema["enum"])
    kinds: Sequence[str] = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if "null" in kinds and chance.random() < missing:
        return None
    kind = next(kind for kind in kinds if kind != "null")
    match kind:
        case "object":
            required = schema["required"]
            made = {
                name: generated(inner, chance, missing)
                for name, inner in schema["properties"].items()
                if name in required or chance.random() > missing
            }
            return _consistent(schema, made)
        case "array":
            return _list(schema, chance, missing)
        case "boolean":
            return chance.random() < 0.5
        case "string":
            empty = not schema.get("minLength") and chance.random() < missing
            return "" if empty else " ".join(chance.sample(WORDS, 2))
        case _:
            low, high = schema.get("minimum", 0), schema.get("maximum", 40)
            value = chance.choice((low, high, chance.uniform(low, high)))
            return round(value) if kind == "integer" else round(value, 1)


def _consistent(schema: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """The same values in the order, and with the sums, that the schema's own keywords ask for."""
    for names in schema.get("x-ascending", ()):
        numbers = [name for name in names if isinstance(made.get(name), (int, float))]
        made |= dict(zip(numbers, sorted(made[name] for name in numbers), strict=True))
    for name, parts in schema.get("x-sum", {}).items():
        made[parts[-1]] = made[parts[-1]] or int(not any(made[part] for part in parts))
        made[name] = sum(made[part] for part in parts)
    return made


def _list(schema: dict[str, Any], chance: random.Random, missing: float) -> list[Any]:
    """As many elements as allowed (at most thirty), each code once where there are as many codes as elements."""
    most = min(schema["maxItems"], 30)
    made = [
        generated(schema["items"], chance, missing) for _ in range(chance.choice((schema.get("minItems", 0), most)))
    ]
    codes = schema["items"]["properties"].get("kode", {}).get("enum", ())
    if len(codes) == len(made):
        for element, code in zip(made, codes, strict=True):
            element["kode"] = code
    return made
