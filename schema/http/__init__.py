"""The API as data: what it takes, what it answers, every problem with its next step, and OpenAPI.

It may import `schema.rows` and what that may. It serves nothing: `service` does.
Begin with `operations.py`, the table of calls; `problems.py` holds the text of every error.
"""
