"""Callbacks as text: where they may go, what an answer means, what becomes of it, what may be shown.

It may import `schema.errors`, `schema.settings` and `schema.ports`. It asks no database and opens no connection.
Begin with `answers.py`, the table of answers; `verdicts.py` applies it, `urls.py` and `allow_list.py` refuse.
"""
