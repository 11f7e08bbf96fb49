"""What schemathesis must know to make requests that fit: callbacks and cursors are more than any text."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies as st

from schema.rows.listing import cursor_after

_IDS = st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=24, max_size=24).map(lambda tail: f"pdf_01{tail}")
_WORDS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)

schemathesis.openapi.format("cursor", _IDS.map(cursor_after))
schemathesis.openapi.format(
    "callback-url",
    st.builds(lambda path, n: f"http://hooks.example.com/{path}?execution={n}", _WORDS, st.integers(0, 999)),
)
