"""The HTTP API: validates requests, writes rows, answers. It renders nothing and talks to no broker.

Rooms: door (keys, rates, refusals), routes (an endpoint a file), pages and console (what people see).
"""
