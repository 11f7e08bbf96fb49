"""Counters and histograms in files that all processes of a host share, and how they are shown.

It may import `schema`; none of the other rooms here. The names stand in `schema.metrics.table`.
Begin with `counters.py`; `worker.py` says when a worker counts what.
"""
