"""What happens to rows over time: a round's end, replays, paused and drained queues, the removal of old rows.

It may import `schema.rows` and what that may; nothing of `schema.http` or `schema.metrics.table`.
Begin with `rounds.py`: every end of a job goes through its `finish`.
"""
