"""Text: from a string to measured words, and from measured words to lines, in the order in which they are drawn.

It may import `actors.pdf.fonts` and `actors.pdf.style`; it draws nothing and knows no page.
Begin with `words.py`, then `linebreak.py`.
"""
