"""The renderer: templates and data in, PDF bytes out. The same request gives the same bytes.

It may import `schema`; it reads no file but its own and those of the template folders, and asks no clock.
Begin with `renderer.py`, then `compose.py`: it makes items of a template's blocks by `drawing`, and `page` puts them on pages.
"""
