"""The render actor: it claims a job, loads its report, draws the PDF, stores it and ends the round.

It may import `middleware` and `schema`; the renderer and the store are handed to it.
Begin with `rendering.py`; the drawing stands in `actors.pdf`, the stores in `actors.artifacts`.
"""
