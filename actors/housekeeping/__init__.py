"""What one leader does for all relays, one duty a file: rescue, lost messages, probes, dead letters' copies, retention.

It may import `middleware` and `schema`; none of the other rooms here.
Begin with `leader.py`, which calls each duty at its time. Old jobs are promoted in `actors/publish/promotion.py`.
"""
