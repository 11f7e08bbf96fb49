"""OpenTelemetry, when `REPORTQ_TRACING` wants it: else no module of this room is loaded, and nothing here costs anything.

It may import `schema`, and the rooms `hooks` and `meters`, whose classes it watches.
Begin with `spans.py`; `export.py` says where spans go.
"""
