"""Numbered steps of the one migration history for MySQL and SQLite."""
