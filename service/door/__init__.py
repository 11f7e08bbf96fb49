"""What every request passes: its id, its key and role, its rate, its count, its error.

It may import `schema` and `middleware.meters`; no route.
Begin with `access.py`; `problems.py` writes every error as problem+json.
"""
