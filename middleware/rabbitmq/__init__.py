"""RabbitMQ and its stand-in in the process: brokers, a publisher with confirms, the letters' queue.

It may import `schema`; none of the other rooms here.
Begin with `broker.py`; `publisher.py` is the one that must never hang.
"""
