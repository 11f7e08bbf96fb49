"""How each block looks: running text, tables, charts, pictures and marks as items of the flow, the cover and the furniture.

It may import `actors.pdf.page` and the rooms below it; it fills no text, so it knows neither templates nor reports.
Begin with `prose.py`; `scales.py` draws what meters of `tables.py` and all `charts` share.
"""
