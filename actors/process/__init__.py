"""A process: its parts, how it starts and stops, its log lines.

It may import every room here but the entries `worker.py` and `relay.py`; parts load late what a process may not need.
Begin with `parts.py`, where everything is wired; `runtime.py` gives it a life.
"""
