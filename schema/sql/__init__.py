"""The database: connections, transactions, its clock, its drivers, its migrations, values kept for a while.

It may import `schema.errors` and `schema.settings`. It knows no table and no row.
Begin with `database.py`; `migrate.py` and `migrations/` hold the tables.
"""
