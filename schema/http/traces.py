"""W3C Trace Context: one trace from the request through worker and relay to the callback.

`00-<trace id>-<parent id>-<flags>`. We pass on the trace id and the flags, with a parent id of our own for each POST. So
the receiver's spans and our log lines carry the trace id that the caller sent. With `REPORTQ_TRACING` every job has a trace,
and the parent is a span of ours (middleware/tracing).
"""

import os
from collections.abc import Mapping
from typing import Any


def trace_id(traceparent: str | None) -> str | None:
    """The 32 digits that log lines carry."""
    return traceparent.split("-")[1] if traceparent else None


def child(traceparent: str) -> str:
    """The same trace, for a request we make in it."""
    version, trace, _, flags = traceparent.split("-")[:4]
    return f"{version}-{trace}-{os.urandom(8).hex()}-{flags}"


def fields_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What every log line about a row's attempt carries: of a job or a delivery, as its claim gave it."""
    fields = {name: row[name] for name in ("job_id", "delivery_id", "round", "request_id") if row.get(name) is not None}
    fields["attempt"] = row["start_no"]
    if trace := trace_id(row.get("traceparent")):
        fields["trace_id"] = trace
    return fields
