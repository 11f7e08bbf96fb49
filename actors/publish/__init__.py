"""From a due row to a message: the relay's admission, the promotion of old jobs, the datagram that wakes a relay.

It may import `middleware` and `schema`; none of the other rooms here.
Begin with `admission.py`; `promotion.py` holds the rule that promotes old jobs.
"""
