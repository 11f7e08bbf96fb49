"""What the environment gives: texts of settings, URLs of servers and their encryption, texts cut to a column's width.

It imports nothing of ours; `schema.settings` is made of it.
Begin with `server_urls.py`; `setting_texts.py` reads what people and their editors write.
"""
