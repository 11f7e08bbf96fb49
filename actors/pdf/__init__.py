"""The renderer: templates and data in, PDF bytes out. Pure and deterministic, no I/O beyond its own files."""
