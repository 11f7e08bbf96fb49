"""What Dramatiq calls around a message: claimed row, retries, time and memory limits, heartbeats, moved letters.

It may import `schema`; none of the other rooms here.
Begin with `lifecycle.py`; `retries.py` says what becomes of a job whose attempt raised.
"""
