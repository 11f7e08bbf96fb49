"""Pages: items placed on pages, one page's drawing operators, and the finished file.

It may import `actors.pdf.text`, `actors.pdf.fonts` and `actors.pdf.style`; it knows no block and no template.
Begin with `flow.py`; an item draws on a `canvas.py`, and `document.py` writes the canvases into a PDF.
"""
