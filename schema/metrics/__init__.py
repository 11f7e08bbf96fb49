"""Metrics: the one table of names, labels and buckets, and the gauges that are read from the rows.

It may import `schema.rows` and what that may. Counting itself stands in `middleware.meters`.
Begin with `table.py`: what is not in it is not counted.
"""
