"""Charts: bars, gauge, profile and radar, drawn over the norm bands of a scale.

They may import `actors.pdf.drawing.prose` and the rooms below it.
Begin with `parts.py`, which holds what the charts share, then `bars.py`.
"""
