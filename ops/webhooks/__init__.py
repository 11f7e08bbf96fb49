"""The JSON Schema of each callback's body, as files for whoever writes a receiver; `build.py` writes them."""
