"""Texts from the environment (hosts, users, names of keys), cut to a column's width. Strict SQL would refuse them."""

import hashlib

_DIGEST = 12  # hex digits: two long texts that begin alike stay apart


def fit(text: str, most: int) -> str:
    """The text, or its head and a hash of all of it: at most `most` characters that every store takes."""
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "?")
    if len(text) <= most:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return f"{text[: most - _DIGEST - 1]}~{digest}"
