"""Fonts: the font files that come along, what they cover, and words shaped in them.

It imports nothing of the product. What it keeps between documents is fixed, so no report shows in the next one.
Begin with `families.py`; a family asks `faces.py`, and a face is a `font_file.py` as pages use it.
"""
