"""What the environment gives: variables, URLs of servers and their encryption, texts cut to a column's width.

It imports nothing of ours; `schema.settings` is made of it.
Begin with `variables.py`, which also reads what people and their editors write; `server_urls.py` reads URLs.
"""
