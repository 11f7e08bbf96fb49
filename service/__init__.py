"""The HTTP API: validates requests, writes rows, answers. It renders nothing and talks to no broker."""
