"""Products: a template's folder, read and checked, and the values that fill its texts.

It may import `schema`; it draws nothing and knows no font.
Begin with `blocks.py`, the vocabulary of templates, then `template.py`.
"""
