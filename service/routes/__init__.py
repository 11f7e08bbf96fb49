"""One file for each group of calls: what it is asked, whom it asks, what it answers.

It may import `service.door`, the files beside this room but `app.py`, and what `service` may import.
Begin with `reports.py` (submission) and `jobs.py`; `app.py` says which path leads where.
"""
