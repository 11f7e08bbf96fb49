"""The host that a process runs on: how many files it may open, and the run folder.

It may import `schema.errors` and `schema.settings`.
Begin with `run_folder.py`.
"""
