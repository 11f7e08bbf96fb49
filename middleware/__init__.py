"""What stands around every message.

Rooms: hooks (Dramatiq's: retries, limits, heartbeats), rabbitmq, meters (Prometheus), tracing.
"""
