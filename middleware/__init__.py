"""What stands around every message: broker, lifecycle, retries, time limits, dead letters, heartbeats, metrics."""
