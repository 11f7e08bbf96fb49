"""The rows: for each table the statements that read and move its rows, guarded so that a stale worker changes nothing.

It may import `schema.sql`, `schema.callbacks` and what these may. What ends or begins a round stands in `schema.life`.
Begin with `jobs.py`, then `deliveries.py`; `outbox.py` and `leases.py` hold what both share.
"""
