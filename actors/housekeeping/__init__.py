"""What one leader does for all: rescue, lost messages, probes of paused dependencies, old rows, copies in `.XQ`.

It may import `middleware` and `schema`; none of the other rooms here.
Begin with `leader.py`; `delivery_rescue.py` and `letter_tidying.py` are duties of their own.
"""
