"""Dashboards, built from code."""
