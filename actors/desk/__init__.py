"""What operators start by hand and what takes long: bulk replay and discard, the erasure of a person.

It may import `schema`; none of the other rooms here.
Begin with `bulk_replays.py`; `erasure.py` is its own story.
"""
